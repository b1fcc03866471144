/**
 * How long an answer asks us to wait. `Retry-After` is seconds or a date (RFC 9110, 10.2.3); `x-amz-retry-after` is
 * milliseconds, AWS's own and more exact, and so it wins. What is neither is not there.
 */
export function retryAfterMs(retryAfter: string | undefined, amzRetryAfter: string | undefined, nowMs: number): number | undefined {
  if (amzRetryAfter !== undefined && /^\d{1,12}$/.test(amzRetryAfter)) return Number(amzRetryAfter)
  if (retryAfter === undefined) return undefined
  if (/^\d{1,9}(\.\d+)?$/.test(retryAfter)) return Number(retryAfter) * 1000
  // `Date.parse` makes dates of nearly anything; those of HTTP begin with the day's name.
  if (!/^[A-Za-z]{3}/.test(retryAfter)) return undefined
  const atMs = Date.parse(retryAfter)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
