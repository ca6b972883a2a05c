// Files on their way into the workspace, with their progress. fetch cannot tell how far an upload is, so this is XHR.

import { filePath } from "../api/client";
import type { Problem, Session } from "../api/types";

export function upload(session: Session, path: string, file: File, onProgress: (share: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", filePath(session, path));
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 1);
    request.onload = () => (request.status < 300 ? resolve() : reject(new Error(refusalOf(request))));
    request.onerror = () => reject(new Error("The connection broke before the file was there."));
    request.send(file);
  });
}

function refusalOf(request: XMLHttpRequest): string {
  try {
    const problem = JSON.parse(request.responseText) as Partial<Problem>;
    return problem.detail ?? problem.title ?? `The gateway answered ${request.status}.`;
  } catch {
    return `The gateway answered ${request.status}.`;
  }
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}
