//! A user's own devices.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::{Segment, text};
use super::interactive::{prove, proved};
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
) -> Result<Response, Outcome> {
    if let Some(behind) = face.for_homeserver(&request) {
        let body = face.bytes(body).await?;
        return face.handed_on(behind, &request, body).await;
    }
    let operation = format!("delete_device {device_id}");
    let (caller, passed) = proved(&face, &request, body, &operation).await?;
    face.service.delete_devices(&caller, &[&device_id], &passed).await?;
    Ok(nothing().into_response())
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
    let operation = format!("delete_devices {devices:?}");
    let passed = prove(&face, &request, &operation, &caller, &body).await?;
    face.service.delete_devices(&caller, &devices, &passed).await?;
    Ok(nothing())
}

/// The most devices that are deleted at once: each is a fact that every node keeps.
const AT_ONCE: usize = 1000;

fn rendered(device: &Device) -> Value {
    let mut rendered = json!({ "device_id": device.device_id });
    if let (Some(name), Some(rendered)) = (&device.display_name, rendered.as_object_mut()) {
        rendered.insert("display_name".to_owned(), name.as_str().into());
    }
    rendered
}
