// The API's objects as the page uses them.

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  lastTransitionTime?: string;
}

export interface Message {
  seq: number;
  time: string;
  type: "Started" | "Progress" | "Finished" | "Failed" | "Notice";
  text: string;
}

export interface SessionSpec {
  mode?: "Terminal";
  repository?: { url: string; branch?: string; secretRef?: { name: string } };
  image?: string;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  workspace?: { size: string; storageClassName?: string; retain?: boolean };
  operatingMode?: "Running" | "Suspended";
  idleTimeoutSeconds?: number;
  wakeTime?: string;
  shutdownTime?: string;
  owner?: string;
  credentialsRef?: { name: string };
  git?: { userName: string; userEmail: string };
}

export interface SessionStatus {
  phase?: "Pending" | "Starting" | "Running" | "Stopped" | "Failed";
  conditions?: Condition[];
  podName?: string;
  startedAt?: string;
  stoppedAt?: string;
  lastActivityAt?: string;
  messages?: Message[];
}

export interface Session {
  namespace: string;
  name: string;
  uid: string;
  createdAt: string;
  deletionTimestamp?: string | null;
  generation: number;
  resourceVersion: string;
  labels?: Record<string, string>;
  spec: SessionSpec;
  status?: SessionStatus | null;
}

export interface Namespace {
  name: string;
  createSessions: boolean;
}

export interface Me {
  username: string;
  groups: string[];
  namespaces: Namespace[];
  defaultNamespace?: string | null;
}

export interface FieldError {
  field: string;
  message: string;
}

export interface Problem {
  title: string;
  status: number;
  detail?: string;
  errors?: FieldError[];
}

export interface FileEntry {
  name: string;
  kind: "file" | "directory" | "symlink";
  size: number;
  modified?: string | null;
}
