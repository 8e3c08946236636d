#!/usr/bin/env python3
"""Renders the chart of deploy/kubernetes/ with Helm's own engine for several sets of values, holds every manifest against the
schemas of Kubernetes, and asserts what must hold of them together.

    tests/deploy/chart.py

Not tested so: a cluster. ServiceMonitor is not among the schemas of Kubernetes.
"""

import pathlib

import helm_python
import kubernetes_validate
import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "leasehold"
VERSIONS = ("1.30", "1.33", "1.37")
SECRETS = {"store": {"existingSecret": "engine"}, "apiKey": {"existingSecret": "key"}}
VALUES = {
    "made secrets": {"store": {"url": "postgres://leasehold:p%40ss@db/leasehold"}, "apiKey": {"value": "0123: \"quoted\""}},
    "existing secrets": SECRETS,
    "single": {"mode": "single", "apiKey": {"value": "abc"}},
    "single, all closed": {"mode": "single", "apiKey": {"existingSecret": "key"}, "podDisruptionBudget": {"enabled": False},
                           "persistence": {"storageClassName": "fast", "size": "20Gi"}, "networkPolicy": {"enabled": False}},
    "everything": {
        **SECRETS, "replicaCount": 5, "fullnameOverride": "locks", "image": {"repository": "example/leasehold", "tag": "1.2.3"},
        "settings": {"max-queued": 1000000, "lease-seconds": 3, "log-format": "human", "some-flag": False},
        "shutdownGraceSeconds": 60, "advertiseByName": True, "podAnnotations": {"a": "b"}, "podLabels": {"team": "x"}, "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}], "affinity": {"podAntiAffinity": {}}, "priorityClassName": "high",
        "imagePullSecrets": [{"name": "pull"}], "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        "serviceAccount": {"annotations": {"a": "b"}}, "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "extraVolumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
        "networkPolicy": {"from": [{"namespaceSelector": {}}], "metricsFrom": [{"podSelector": {}}],
                          "engine": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [2379]},
                          "extraEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
    },
}
# Values that must be refused, with a word of why.
REFUSED = {
    "apiKey.existingSecret": {"store": {"url": "etcd://a:2379/leasehold"}},
    "store.existingSecret": {"apiKey": {"value": "abc"}},
    "replicacount": {**SECRETS, "replicacount": 3},
    "url": {"store": {"url": "mysql://a"}, "apiKey": {"value": "abc"}},
    "propertyName": {**SECRETS, "settings": {"api-key": "in the clear"}},
}


def render(chart, values):
    files = chart.render(values, name="try", namespace="locks")
    notes = files.pop("leasehold/templates/NOTES.txt")
    assert "300 seconds" in notes and "/internal/" in notes and "<no value>" not in notes
    manifests = {}
    for text in files.values():
        for manifest in filter(None, yaml.safe_load_all(text)):
            name = (manifest["kind"], manifest["metadata"]["name"])
            assert name not in manifests, f"{name} twice"
            manifests[name] = manifest
    return manifests


def of(manifests, kind):
    return [manifest for (its_kind, _), manifest in manifests.items() if its_kind == kind]


def check_pod(pod, values):
    context, (container,) = pod["securityContext"], pod["containers"]
    assert context["runAsNonRoot"] and context["runAsUser"] > 0 and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert pod["automountServiceAccountToken"] is False
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "probes"}, probe
    sleeps = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > sleeps + values.get("shutdownGraceSeconds", 10)
    assert "memory" in container["resources"]["limits"] and "cpu" not in container["resources"]["limits"]

    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names)), f"a variable is set twice: {names}"
    env = {entry["name"]: entry for entry in container["env"]}
    assert env["LEASEHOLD_LISTEN"]["value"].endswith(f":{ports['api']}")
    assert env["LEASEHOLD_PROBES_LISTEN"]["value"].endswith(f":{ports['probes']}")
    assert all(isinstance(entry.get("value", ""), str) for entry in env.values())
    for setting, value in values.get("settings", {}).items():
        shown = env["LEASEHOLD_" + setting.upper().replace("-", "_")]["value"]
        assert shown == (str(value).lower() if isinstance(value, bool) else str(value)), (setting, shown)
    mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
    if values.get("mode") == "single":
        assert env["LEASEHOLD_STORE"]["value"] == "local" and env["LEASEHOLD_DATA_DIR"]["value"].startswith(mounts["data"])
    else:
        by_name = values.get("advertiseByName", False)
        # The fifth set of values is named `locks`; names of pods are found below the headless service.
        assert env["LEASEHOLD_ADVERTISE"]["value"] == f"$(POD){'.locks-pods.locks.svc' if by_name else ''}:{ports['api']}"
        assert env["POD"]["valueFrom"]["fieldRef"]["fieldPath"] == ("metadata.name" if by_name else "status.podIP")
        assert names.index("POD") < names.index("LEASEHOLD_ADVERTISE"), "$(POD) is not expanded"
    return env, ports


def check_secrets(manifests, env, values):
    made = {s["metadata"]["name"]: s["stringData"] for s in of(manifests, "Secret")}
    for name, place in (("LEASEHOLD_API_KEY", "apiKey"), ("LEASEHOLD_STORE", "store")):
        if "valueFrom" not in env[name]:
            continue
        ref, given = env[name]["valueFrom"]["secretKeyRef"], values[place]
        if "existingSecret" in given:
            assert ref["name"] == given["existingSecret"]
        else:
            assert made[ref["name"]][ref["key"]] == given.get("value", given.get("url"))


def check(manifests, values):
    (stateful,) = of(manifests, "StatefulSet")
    spec, template, single = stateful["spec"], stateful["spec"]["template"], values.get("mode") == "single"
    labels = template["metadata"]["labels"]
    env, ports = check_pod(template["spec"], values)
    check_secrets(manifests, env, values)
    assert spec["replicas"] == (1 if single else values.get("replicaCount", 3))
    assert ("volumeClaimTemplates" in spec) == single and ("topologySpreadConstraints" in template["spec"]) != single
    assert ("Service", spec["serviceName"]) in manifests
    assert ("ServiceAccount", template["spec"]["serviceAccountName"]) in manifests

    selectors = [spec["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in of(manifests, "Service")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in of(manifests, "PodDisruptionBudget")]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in of(manifests, "NetworkPolicy")]
    selectors += [c["labelSelector"]["matchLabels"] for c in template["spec"].get("topologySpreadConstraints", [])]
    for selector in selectors:
        assert selector and selector.items() <= labels.items(), selector
        assert selector == selectors[0], "selectors differ"

    assert len(of(manifests, "PodDisruptionBudget")) == (0 if single else 1), "a budget for one pod would stop every drain"
    for service in of(manifests, "Service"):
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    for monitor in of(manifests, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        seen = [s for s in of(manifests, "Service") if wanted <= s["metadata"]["labels"].items()]
        assert len(seen) == 1 and "probes" in {port["name"] for port in seen[0]["spec"]["ports"]}
    for policy in of(manifests, "NetworkPolicy"):
        check_policy(policy["spec"], values, single, selectors[0])


def check_policy(spec, values, single, selector):
    asked = values.get("networkPolicy", {})
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    api, probes = spec["ingress"][:2]
    assert (api["ports"][0]["port"], api.get("from", [])) == ("api", asked.get("from", []))
    assert (probes["ports"][0]["port"], probes.get("from", [])) == ("probes", asked.get("metricsFrom", []))
    among = [{"podSelector": {"matchLabels": selector}}]
    if single:
        assert "egress" not in spec, "alone, it has nobody to talk to"
        return
    assert any(rule.get("from") == among for rule in spec["ingress"]) and any(rule.get("to") == among for rule in spec["egress"])
    engine = next(rule for rule in spec["egress"] if rule["ports"][0]["port"] == 2379)
    assert engine.get("to", []) == asked.get("engine", {}).get("to", [])
    assert all(rule["ports"] for rule in spec["egress"]), "a rule of egress opens every port"


def lint(values):
    report = helm_python.lint(CHART, values)
    # 1 is a remark, such as that there is no icon.
    return report["errors"] + [m for m in report["messages"] if m["severity"] > 1]


def main():
    with helm_python.Chart.load(CHART) as chart:
        for name, values in VALUES.items():
            assert not lint(values), lint(values)
            chart.validate_schema(values)
            manifests = render(chart, values)
            for (kind, _), manifest in manifests.items():
                for version in VERSIONS if kind != "ServiceMonitor" else ():
                    kubernetes_validate.validate(manifest, version, strict=True)
            check(manifests, values)
            print(f"   {name}: {len(manifests)} manifests")
        for word, values in REFUSED.items():
            try:
                chart.validate_schema(values)
                render(chart, values)
            except helm_python.HelmError as refusal:
                assert word in str(refusal), refusal
            else:
                raise SystemExit(f"not refused: {values}")


if __name__ == "__main__":
    main()
