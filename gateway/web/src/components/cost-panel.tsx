import { Panel } from "./panel";
import { budgetShare, dollars, type Budget } from "./money";

interface Props {
  /** A decimal number of dollars. */
  cost: string | undefined;
  budget: Budget | undefined;
  /** By class. */
  tokens: [string, string][];
}

/** What models cost so far, against the budget; nothing where neither is known. */
export function CostPanel({ cost, budget, tokens }: Props) {
  if (cost === undefined && budget === undefined) return null;
  const share = budget === undefined ? undefined : budgetShare(cost ?? "0", budget.amount);
  return (
    <Panel title="Cost" aside="by list prices">
      <div className="grid gap-2 px-4 pb-4 text-sm">
        <p className="numbers">
          <span className="font-medium">{dollars(cost ?? "0")}</span>
          {budget !== undefined && (
            <span className="text-soft">
              {" "}
              of {dollars(budget.amount)}
              {budget.isDefault && ", the cluster's default"}
            </span>
          )}
        </p>
        {share !== undefined && <meter aria-label="Share of the budget" className="h-2 w-full" value={share} high={0.8} />}
        {tokens.length > 0 && (
          <details>
            <summary className="w-fit cursor-pointer rounded text-xs text-soft hover:text-ink pointer-coarse:py-3">Tokens</summary>
            <dl className="numbers mt-1 grid grid-cols-[1fr_auto] gap-x-4 gap-y-1 text-xs">
              {tokens.map(([name, count]) => (
                <div key={name} className="contents">
                  <dt className="text-faint">{name}</dt>
                  <dd className="text-right">{count}</dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </div>
    </Panel>
  );
}
