"""Files on a patient's chart: the three steps by which Cliniko takes them.

Owns the presigned form, the storage it points at, and the attachment that stays unprocessed for a while. Nothing of a
file's content is kept but its size. From Cliniko's guide on uploading attachments and "Patient attachments".
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync_worker.sandbox.cliniko_notes import not_found
from sync_worker.sandbox.cliniko_records import UserRecord
from sync_worker.sandbox.cliniko_state import ClinikoState
from sync_worker.sandbox.lists import link, stamp
from sync_worker.sandbox.wire import Reply, Request, json_reply

STORAGE_PATH = "/storage"
_FIELD = re.compile(rb'name="key"\r\n\r\n([^\r]*)\r\n')
_FILE_NAME = re.compile(rb'name="file"; filename="([^"]*)"')


@dataclass(slots=True)
class Attachment:
    """A file that was announced to Cliniko."""

    attachment_id: str
    patient_id: str
    user_id: str
    description: str | None
    upload_url: str
    created_at: datetime


class Attachments:
    """The uploads and attachments of one account."""

    def __init__(self, state: ClinikoState) -> None:
        self._state = state
        self._uploads: dict[str, int] = {}
        self._attachments: dict[str, Attachment] = {}

    def presigned_post(self, patient_id: str, site: str) -> Reply:
        """`GET /patients/{id}/attachment_presigned_post`: where to upload, and the fields to send along."""
        if patient_id not in self._state.patients:
            return not_found()
        place = f"{patient_id}/temp/{self._state.random.getrandbits(64):016x}"
        fields = {
            "key": f"{place}/${{filename}}",
            "success_action_status": "201",
            "acl": "private",
            "policy": "sandbox",
            "x-amz-signature": "sandbox",
        }
        return json_reply(200, {"url": f"{site}{STORAGE_PATH}", "fields": fields})

    def upload(self, request: Request) -> Reply:
        """The storage's own POST of a multipart form: 201 and XML with the key."""
        key, file = _FIELD.search(request.body), _FILE_NAME.search(request.body)
        if key is None or file is None:
            return Reply(400, {"Content-Type": "application/xml"}, b"<Error><Code>InvalidArgument</Code></Error>")
        name = key[1].replace(b"${filename}", file[1]).decode()
        self._uploads[name] = len(request.body)
        xml = f"<PostResponse><Key>{name}</Key></PostResponse>"
        return Reply(201, {"Content-Type": "application/xml"}, xml.encode())

    def create(self, request: Request, user: UserRecord, base: str) -> Reply:
        """`POST /patient_attachments`: 201 before the file is looked at."""
        body: dict[str, Any] = request.json if isinstance(request.json, dict) else {}
        patient_id, url = str(body.get("patient_id")), str(body.get("upload_url") or "")
        if patient_id not in self._state.patients or not url:
            complaint = {"upload_url": "can't be blank"} if not url else {"patient": "must exist"}
            return json_reply(422, {"message": "Validation Failed", "errors": complaint})
        attachment = Attachment(
            self._state.new_id(), patient_id, user.user_id, body.get("description"), url, self._state.now()
        )
        self._attachments[attachment.attachment_id] = attachment
        return json_reply(201, self._as_json(attachment, base))

    def get(self, attachment_id: str, base: str) -> Reply:
        """`GET /patient_attachments/{id}`: without a file name until it was processed."""
        attachment = self._attachments.get(attachment_id)
        return not_found() if attachment is None else json_reply(200, self._as_json(attachment, base))

    def _as_json(self, attachment: Attachment, base: str) -> dict[str, Any]:
        key = next((name for name in self._uploads if attachment.upload_url.endswith(name)), None)
        wait = timedelta(seconds=self._state.attachment_processing_seconds)
        done = key is not None and self._state.now() >= attachment.created_at + wait
        created = stamp(self._state.server_time(attachment.created_at))
        return {
            "id": attachment.attachment_id,
            "filename": key.rpartition("/")[2] if done and key else None,
            "size": self._uploads[key] if done and key else None,
            "description": attachment.description,
            "processing_completed": done,
            "created_at": created,
            "updated_at": created,
            "content": link(base, "patient_attachments", attachment.attachment_id, "content"),
            "patient": link(base, "patients", attachment.patient_id),
            "user": link(base, "users", attachment.user_id),
            **link(base, "patient_attachments", attachment.attachment_id),
        }
