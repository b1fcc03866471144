/**
 * The OpenAPI document as a page for a person: every path with its parameters, answers and schemas. Without a script and
 * without a network, under the strictest policy a page can have.
 */
import { escapeHtml, htmlPage } from './html-page.ts'
import type { OpenApiDocument, OpenApiOperation } from './openapi.ts'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly description?: string
}

export function openApiPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => operationSection(path, method, operation)))
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) => `<details id="schema-${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code></summary><pre>${escapeHtml(JSON.stringify(schema, null, 2))}</pre></details>`,
  )
  const { version, description } = document.info as { readonly version: string; readonly description: string }
  return htmlPage(
    'API',
    `<h1>Hybrid Routing API ${escapeHtml(version)}</h1><p>${rich(description)}</p><p>The same for programs: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>
${operations.join('\n')}
<h2>Schemas</h2>${schemas.join('\n')}`,
  )
}

function operationSection(path: string, method: string, operation: OpenApiOperation): string {
  const parameters = ((operation.parameters ?? []) as readonly Parameter[]).map((parameter) => row(parameter.name, `${parameter.in}: ${parameter.description ?? ''}`)).join('')
  const answers = Object.entries(operation.responses)
    .map(([status, answer]) => row(status, (answer as { readonly description: string }).description))
    .join('')
  return `<details><summary><code>${method.toUpperCase()} ${escapeHtml(path)}</code> ${rich(operation.summary)}</summary>
${operation.description === undefined ? '' : `<p>${rich(operation.description)}</p>`}
${operation.requestBody === undefined ? '' : '<p>Body: <a href="#schema-Operation"><code>Operation</code></a></p>'}
${parameters === '' ? '' : `<h3>Parameters</h3><table>${parameters}</table>`}
<h3>Answers</h3><table>${answers}</table></details>`
}

function row(name: string, text: string): string {
  return `<tr><td><code>${escapeHtml(name)}</code></td><td>${rich(text)}</td></tr>`
}

/** Text with `code` in it. */
function rich(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]*)`/g, '<code>$1</code>')
}
