/**
 * Headers that every answer carries: nothing is cached, nothing is sniffed, no page may be framed or load anything from
 * elsewhere, and the correlation id is there. No header says which software answers.
 */
export function answerHeaders(correlationId: string): Record<string, string> {
  return {
    'x-correlation-id': correlationId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }
}

/** For pages: no script at all, styles in the page itself only. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
}
