// Kubernetes quantities, as far as a form needs them.

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/;

/** Whether the API would read it as a quantity above 0. */
export function isPositiveQuantity(text: string): boolean {
  const number = QUANTITY.exec(text)?.[1];
  return number !== undefined && Number(number) > 0;
}
