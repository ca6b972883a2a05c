// What every row of a list of objects has.

import { Ellipsis, GitBranch } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { IconButton } from "./button";
import { Menu } from "./menu";

/** What the row is called. All of the row is the link; what else can be pressed lies above it. */
export function RowLink({ to, children }: { to: string; children: ReactNode }) {
  return (
    <Link
      to={to}
      className="truncate font-medium after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:rounded-xl focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent-text"
    >
      {children}
    </Link>
  );
}

export function RowMenu({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="relative">
      <Menu
        trigger={
          <IconButton label={`Actions for ${name}`}>
            <Ellipsis className="size-4" aria-hidden />
          </IconButton>
        }
      >
        {children}
      </Menu>
    </div>
  );
}

/** Which repository, and which branch of it. Of an address, host and path are what one recognises. */
export function RepositoryFact({ url, branch }: { url: string; branch: string | undefined }) {
  return (
    <span className="flex min-w-0 items-center gap-1">
      <GitBranch className="size-3 shrink-0" aria-hidden />
      <span className="truncate">
        {url.replace(/^https?:\/\//, "").replace(/\.git$/, "")}
        {branch !== undefined && ` · ${branch}`}
      </span>
    </span>
  );
}
