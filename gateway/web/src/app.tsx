import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { BrowserRouter, Link, Navigate, Outlet, Route, Routes } from "react-router";
import { ToastProvider } from "./components/toast";
import { AuthGate } from "./layout/auth";
import { PaletteProvider } from "./layout/palette";
import { Shell } from "./layout/shell";
import { LoginPage } from "./pages/login";
import { RunsPage } from "./pages/runs";
import { SessionsPage } from "./pages/sessions";

// The emulator is as large as all the rest, and only this page needs it.
const SessionPage = lazy(() => import("./pages/session-page"));
const RunPage = lazy(() => import("./pages/run-page"));

const queries = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false } } });

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <ToastProvider>
        <BrowserRouter>
          <Routes>
            <Route path="/login" element={<LoginPage />} />
            <Route element={<Frame />}>
              <Route path="/" element={<Navigate to="/sessions" replace />} />
              <Route path="/sessions" element={<SessionsPage />} />
              <Route path="/ns/:namespace/sessions/:name" element={<SessionPage />} />
              <Route path="/runs" element={<RunsPage />} />
              <Route path="/ns/:namespace/runs/:name" element={<RunPage />} />
              <Route path="*" element={<NoSuchPage />} />
            </Route>
          </Routes>
        </BrowserRouter>
      </ToastProvider>
    </QueryClientProvider>
  );
}

function Frame() {
  return (
    <AuthGate>
      <PaletteProvider>
        <Shell>
          <Suspense fallback={null}>
            <Outlet />
          </Suspense>
        </Shell>
      </PaletteProvider>
    </AuthGate>
  );
}

function NoSuchPage() {
  return (
    <section className="grid h-full place-content-center justify-items-center gap-2 p-6 text-center">
      <h1 className="text-base font-semibold">There is no such page</h1>
      <Link to="/sessions" className="text-accent-text underline underline-offset-2">
        All sessions
      </Link>
    </section>
  );
}
