import { request } from "@playwright/test";
import { environment } from "./environment";

/** One login for all tests but those that test the login. */
export default async function login(): Promise<void> {
  const { url, token } = environment();
  const context = await request.newContext({ baseURL: url, extraHTTPHeaders: { origin: new URL(url).origin } });
  const response = await context.post("/api/v1/login", { data: { token } });
  if (!response.ok()) throw new Error(`login: ${response.status()} ${await response.text()}`);
  await context.storageState({ path: "test-results/login.json" });
  await context.dispose();
}
