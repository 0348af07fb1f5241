//! A user's own devices.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::{Segment, text};
use super::interactive::prove;
use super::register::nothing;
use crate::service::Caller;
use crate::store::Device;

/// Every device.
pub(super) async fn list(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Json<Value>, Outcome> {
    let caller = face.bearer(&request, Caller::of)?;
    let devices = face.service.devices(&caller).await?;
    Ok(Json(json!({ "devices": devices.iter().map(rendered).collect::<Vec<_>>() })))
}

/// One device.
pub(super) async fn one(
    State(face): State<Arc<Face>>,
    Segment(device_id): Segment,
    request: Parts,
) -> Result<Json<Value>, Outcome> {
    let caller = face.bearer(&request, Caller::of)?;
    Ok(Json(rendered(&face.service.device(&caller, &device_id).await?)))
}

/// Gives a device another display name.
pub(super) async fn rename(
    State(face): State<Arc<Face>>,
    Segment(device_id): Segment,
    request: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let caller = face.bearer(&request, Caller::of)?;
    let body = face.object(body).await?;
    let name = text(&body, "display_name", "`display_name` must be a string")?;
    match name {
        Some(name) => face.service.rename_device(&caller, &device_id, Some(name)).await?,
        None => drop(face.service.device(&caller, &device_id).await?),
    }
    Ok(nothing())
}

/// Deletes one device, once its user has proved who it is.
pub(super) async fn delete(
    State(face): State<Arc<Face>>,
    Segment(device_id): Segment,
    request: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let caller = face.member(&request)?;
    let body = face.object_or_nothing(body).await?;
    let (operation, address) = (format!("delete_device {device_id}"), face.address(&request));
    delete_all(&face, &caller, &operation, address, &[&device_id], &body).await
}

/// Deletes several devices, once their user has proved who it is.
pub(super) async fn delete_many(
    State(face): State<Arc<Face>>,
    request: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let caller = face.member(&request)?;
    let body = face.object(body).await?;
    let wrong = Outcome::BadJson("`devices` must be a list of device ids");
    let Some(Value::Array(devices)) = body.get("devices") else { return Err(wrong) };
    let devices: Option<Vec<_>> = devices.iter().map(Value::as_str).collect();
    let devices = devices.ok_or(wrong)?;
    if devices.len() > AT_ONCE {
        return Err(Outcome::BadJson("`devices` may have 1000 ids at most"));
    }
    let (operation, address) = (format!("delete_devices {devices:?}"), face.address(&request));
    delete_all(&face, &caller, &operation, address, &devices, &body).await
}

/// The most devices that are deleted at once: each is a fact that every node keeps.
const AT_ONCE: usize = 1000;

async fn delete_all(
    face: &Face,
    caller: &Caller,
    operation: &str,
    address: Option<IpAddr>,
    devices: &[&str],
    body: &Map<String, Value>,
) -> Result<Json<Value>, Outcome> {
    let passed = prove(face, operation, caller, address, body).await?;
    face.service.delete_devices(caller, devices, &passed).await?;
    Ok(nothing())
}

fn rendered(device: &Device) -> Value {
    let mut rendered = json!({ "device_id": device.device_id });
    if let (Some(name), Some(rendered)) = (&device.display_name, rendered.as_object_mut()) {
        rendered.insert("display_name".to_owned(), name.as_str().into());
    }
    rendered
}
