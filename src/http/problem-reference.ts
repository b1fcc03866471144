/**
 * The reference of problem codes for people: `docs/errors.md`, and a page for each code at the path that `type` names. Both
 * are made from the catalogue, and a test holds that the file is what is made here.
 */
import { problemCatalogue, problemCodes, problemType, type ProblemCode } from '../operation/problem.ts'
import { escapeHtml, htmlPage } from './html-page.ts'

export function errorsMarkdown(): string {
  const rows = problemCodes.map((code) => {
    const { status, title, retryable, remedy } = problemCatalogue[code]
    return `| \`${code}\` | ${status} | ${title} | ${retryable ? 'yes' : 'no'} | ${remedy} |`
  })
  return [
    '# Errors',
    '',
    'Every error is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, `code`, `retryable`, `correlationId`, and where',
    'they apply `operationId`, `retryAfterMs` and `errors: [{ path, message }]`.',
    'Retryable says whether the same request can succeed later; an answer may differ from the table where more is known.',
    '',
    '| code | status | title | retryable | what to do |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

export function problemPage(code: ProblemCode): string {
  const { status, title, retryable, remedy } = problemCatalogue[code]
  return htmlPage(
    code,
    `<h1><code>${code}</code></h1>
<p>${escapeHtml(title)}. HTTP status ${status}; type <code>${problemType(code)}</code>.</p>
<p>${retryable ? 'The same request can succeed later.' : 'The same request will fail again.'}</p>
<h2>What to do</h2><p>${escapeHtml(remedy)}</p>
<h2>All codes</h2><ul>${problemCodes.map((other) => `<li><a href="${problemType(other)}"><code>${other}</code></a></li>`).join('')}</ul>`,
  )
}
