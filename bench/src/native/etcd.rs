//! etcd's own locks, and a key in the place of one.
//!
//! The messages have the fields that are needed here, with the numbers of etcd's public API definition
//! (`rpc.proto` and `v3lock.proto`, Apache-2.0).

use prost::Message;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::NativeError;

/// Longer than any run.
const LEASE_SECS: i64 = 3_600;

const TARGET_MOD_REVISION: i32 = 2;

#[derive(Clone, PartialEq, prost::Message)]
struct LeaseGrantRequest {
    #[prost(int64, tag = "1")]
    ttl: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LeaseGrantResponse {
    #[prost(int64, tag = "2")]
    id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LockRequest {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(int64, tag = "2")]
    lease: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LockResponse {
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct UnlockRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct UnlockResponse {}

/// `result` is left out, which means equal.
#[derive(Clone, PartialEq, prost::Message)]
struct Compare {
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(int64, optional, tag = "6")]
    mod_revision: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(int64, tag = "3")]
    lease: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeleteRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Op {
    #[prost(message, optional, tag = "2")]
    put: Option<PutRequest>,
    #[prost(message, optional, tag = "3")]
    delete: Option<DeleteRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    success: Vec<Op>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnResponse {
    #[prost(bool, tag = "2")]
    succeeded: bool,
}

pub(super) struct LockClient {
    grpc: Grpc<Channel>,
    request: LockRequest,
    key: Vec<u8>,
}

pub(super) struct TxnClient {
    grpc: Grpc<Channel>,
    put: TxnRequest,
    delete: TxnRequest,
}

/// Clients with a name and a lease each.
pub(super) async fn lock_clients(
    address: &str,
    count: usize,
) -> Result<Vec<LockClient>, NativeError> {
    let mut clients = Vec::with_capacity(count);
    for (mut grpc, name) in channels(address, count).await? {
        let lease = grant(&mut grpc).await?;
        let request = LockRequest { name, lease };
        clients.push(LockClient { grpc, request, key: Vec::new() });
    }
    Ok(clients)
}

/// Clients with a key and a lease each.
pub(super) async fn txn_clients(
    address: &str,
    count: usize,
) -> Result<Vec<TxnClient>, NativeError> {
    let mut clients = Vec::with_capacity(count);
    for (mut grpc, key) in channels(address, count).await? {
        let lease = grant(&mut grpc).await?;
        let is_missing =
            Compare { target: TARGET_MOD_REVISION, key: key.clone(), mod_revision: Some(0) };
        let put = PutRequest { key: key.clone(), value: b"me".to_vec(), lease };
        let put = Op { put: Some(put), delete: None };
        let delete = Op { put: None, delete: Some(DeleteRequest { key }) };
        clients.push(TxnClient {
            grpc,
            put: TxnRequest { compare: vec![is_missing], success: vec![put] },
            delete: TxnRequest { compare: Vec::new(), success: vec![delete] },
        });
    }
    Ok(clients)
}

async fn channels(
    address: &str,
    count: usize,
) -> Result<Vec<(Grpc<Channel>, Vec<u8>)>, NativeError> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let channel = endpoint.connect().await?;
        clients.push((Grpc::new(channel), format!("native/lock-{number}").into_bytes()));
    }
    Ok(clients)
}

async fn grant(grpc: &mut Grpc<Channel>) -> Result<i64, NativeError> {
    let request = LeaseGrantRequest { ttl: LEASE_SECS };
    let granted: LeaseGrantResponse =
        call(grpc, "/etcdserverpb.Lease/LeaseGrant", &request).await?;
    Ok(granted.id)
}

async fn call<Q, A>(
    grpc: &mut Grpc<Channel>,
    path: &'static str,
    request: &Q,
) -> Result<A, NativeError>
where
    Q: Message + Clone + Default + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    grpc.ready().await?;
    let codec = ProstCodec::<Q, A>::default();
    let path = PathAndQuery::from_static(path);
    Ok(grpc.unary(Request::new(request.clone()), path, codec).await?.into_inner())
}

impl LockClient {
    pub(super) async fn lock(&mut self) -> Result<(), NativeError> {
        let locked: LockResponse =
            call(&mut self.grpc, "/v3lockpb.Lock/Lock", &self.request).await?;
        self.key = locked.key;
        Ok(())
    }

    pub(super) async fn unlock(&mut self) -> Result<(), NativeError> {
        let request = UnlockRequest { key: std::mem::take(&mut self.key) };
        let UnlockResponse {} = call(&mut self.grpc, "/v3lockpb.Lock/Unlock", &request).await?;
        Ok(())
    }
}

impl TxnClient {
    pub(super) async fn put(&mut self) -> Result<(), NativeError> {
        txn(&mut self.grpc, &self.put).await
    }

    pub(super) async fn delete(&mut self) -> Result<(), NativeError> {
        txn(&mut self.grpc, &self.delete).await
    }
}

async fn txn(grpc: &mut Grpc<Channel>, request: &TxnRequest) -> Result<(), NativeError> {
    let answer: TxnResponse = call(grpc, "/etcdserverpb.KV/Txn", request).await?;
    if answer.succeeded { Ok(()) } else { Err("somebody else has the key".into()) }
}
