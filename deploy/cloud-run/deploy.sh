#!/usr/bin/env bash
# Builds the image, sets up Datastore, an account and a key, deploys to Cloud Run, and prints the URL. May be run again:
# what is there stays, the service is replaced.
#
#   deploy/cloud-run/deploy.sh [--dry-run] PROJECT [REGION]
#
# REGION is us-central1 if it is not given. --dry-run prints every command that a first run makes, and makes none.
set -euo pipefail
cd "$(dirname "$0")/../.."

dry_run=
[ "${1:-}" != --dry-run ] || { dry_run=1; shift; }
project=${1:-}
region=${2:-us-central1}
if [[ ! $project =~ ^[a-z][a-z0-9-]*$ || ! $region =~ ^[a-z0-9-]+$ || $# -gt 2 ]]; then
    echo 'usage: deploy/cloud-run/deploy.sh [--dry-run] PROJECT [REGION]' >&2
    exit 2
fi
account="leasehold@$project.iam.gserviceaccount.com"
registry="$region-docker.pkg.dev"
image="$registry/$project/leasehold/leasehold:$(date -u +%Y%m%d-%H%M%S)"

run() {
    { printf '+'; printf ' %q' "$@"; echo; } >&2
    [ -n "$dry_run" ] || "$@"
}

# Whether a command finds something. In a dry run nothing is there yet.
is_there() { [ -z "$dry_run" ] && "$@" >/dev/null 2>&1; }

cloud() { run gcloud --quiet --project "$project" "$@"; }
is_in_cloud() { is_there gcloud --quiet --project "$project" "$@"; }

check_tools() {
    builder=$(command -v podman || command -v docker || true)
    if [ -n "$dry_run" ]; then
        builder=$(basename "${builder:-podman}")
        return
    fi
    local missing=0
    command -v gcloud >/dev/null || { echo 'gcloud is missing: install the Google Cloud CLI' >&2; missing=1; }
    [ -n "$builder" ] || { echo 'podman or docker is missing: install one to build the image' >&2; missing=1; }
    [ $missing = 0 ] || exit 1
    [ -n "$(gcloud auth list --filter=status:ACTIVE --format='value(account)')" ] ||
        { echo 'nobody is signed in: gcloud auth login' >&2; exit 1; }
}

set_up_datastore() {
    if ! is_in_cloud firestore databases describe --database='(default)'; then
        cloud firestore databases create --database='(default)' --location="$region" --type=datastore-mode
    elif [ "$(gcloud --project "$project" firestore databases describe --database='(default)' --format='value(type)')" != DATASTORE_MODE ]; then
        echo "the database (default) of $project is not in Datastore mode: use another project" >&2
        exit 1
    fi
}

set_up_account() {
    is_in_cloud iam service-accounts describe "$account" || cloud iam service-accounts create leasehold
    cloud projects add-iam-policy-binding "$project" --member="serviceAccount:$account" \
        --role=roles/datastore.user --condition=None --format=none
}

# The key goes from pipe to pipe: neither arguments nor files show it.
set_up_key() {
    if ! is_in_cloud secrets describe leasehold-api-key; then
        cloud secrets create leasehold-api-key --replication-policy=automatic
    fi
    if ! is_in_cloud secrets versions describe latest --secret=leasehold-api-key; then
        cloud secrets versions add leasehold-api-key --data-file=- \
            < <(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
    fi
    cloud secrets add-iam-policy-binding leasehold-api-key --member="serviceAccount:$account" \
        --role=roles/secretmanager.secretAccessor --format=none
}

build_and_push() {
    is_in_cloud artifacts repositories describe leasehold --location="$region" ||
        cloud artifacts repositories create leasehold --location="$region" --repository-format=docker
    local commit
    commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
    run "$builder" build --platform linux/amd64 --build-arg "COMMIT_ID=$commit" -f deploy/Dockerfile -t "$image" .
    local token
    token=$(cloud auth print-access-token)
    run "$builder" login --username oauth2accesstoken --password-stdin "$registry" <<<"$token"
    run "$builder" push "$image"
}

deploy() {
    local service
    service=$(mktemp --suffix=.yaml)
    sed -e "s|\${PROJECT}|$project|g" -e "s|\${REGION}|$region|g" -e "s|\${IMAGE}|$image|g" \
        deploy/cloud-run/service.yaml >"$service"
    cloud run services replace "$service" --region="$region"
    rm "$service"
    # Everybody may call it; the service asks for its own keys.
    cloud run services add-iam-policy-binding leasehold --region="$region" --member=allUsers \
        --role=roles/run.invoker --format=none
}

check_tools
cloud services enable run.googleapis.com artifactregistry.googleapis.com firestore.googleapis.com \
    datastore.googleapis.com secretmanager.googleapis.com iam.googleapis.com
set_up_datastore
set_up_account
set_up_key
build_and_push
deploy
cloud run services describe leasehold --region="$region" --format='value(status.url)'
echo "the admin key: gcloud --project $project secrets versions access latest --secret=leasehold-api-key" >&2
