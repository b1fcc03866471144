/**
 * Headers that every answer carries: nothing is cached, nothing is sniffed, nothing may be framed or embedded by a page of
 * another origin, and the correlation id is there; a page of ours loads nothing from elsewhere. No header says which
 * software answers.
 */
export function answerHeaders(correlationId: string): Record<string, string> {
  return {
    'x-correlation-id': correlationId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-security-policy': "frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'x-frame-options': 'DENY',
  }
}

/** Over TLS: a browser that was here once comes back with TLS only (RFC 6797), for a year. */
export const transportHeaders: Readonly<Record<string, string>> = { 'strict-transport-security': 'max-age=31536000' }

/** For pages: no script at all, styles in the page itself only. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
}
