/**
 * The reference page docs/configuration.md, made from the schema: every member with what is allowed, unit, default, reload
 * class and meaning. The prose around the tables is here too, because it speaks of rules that are code in this folder.
 * A test asserts that the committed page equals what this makes.
 */
import { operationTypes } from '../operation/matrix.ts'
import type { PriceTable } from '../operation/cost.ts'
import { exampleConfig } from './example.ts'
import type { SchemaNode } from './fields.ts'
import { defaultPrices } from './prices.ts'
import { unitOf } from './published-schema.ts'
import { allowed, memberPath } from './read-config.ts'
import { configNode } from './schema.ts'

export function referencePage(): string {
  const sections = Object.entries(configNode.properties ?? {}).map(([name, node]) => sectionOf(name, node))
  return `${[intro, ...sections, priceSection(defaultPrices)].join('\n\n')}\n`
}

const intro = `# Configuration

<!-- Generated from src/config/schema.ts by \`node src/config/adapters/generate-reference.ts\`. A test keeps it current. -->

One YAML or JSON file: the one that \`--config\` names, or \`hybrid-routing.yaml\` in the working directory. It is validated on
start; all faults are reported at once, each with its path, the value and what is allowed, and nothing starts while there is
one. The same rules as JSON Schema: [hybrid-routing.schema.json](hybrid-routing.schema.json).

\`\`\`yaml
${exampleConfig}\`\`\`

**Environment.** \`\${NAME}\` in a text stands for the variable, \`\${NAME:-default}\` for the default where the variable is not
set or empty, and \`$\${\` for the characters themselves. A number or flag may be written as such a text. An unset variable
without a default is a fault; an empty one leaves out a member that may be \`null\`. Secrets are never shown: a message names
the variable. Besides what the file names, \`AWS_BEARER_TOKEN_BEDROCK\` is read, and AWS's SDK reads its own variables.

**Reload.** \`SIGHUP\` and a change of the file (also when it is replaced or swapped behind a link) read it again. Members
marked \`live\` take effect with the next operation; an operation that runs keeps what it began with. Changes of members marked
\`restart\` are reported and wait for the next start. A file with a fault changes nothing.

**\`null\`** as a default means: derived. Times follow the matrix's latency requirements, so that they scale with it.`

function sectionOf(name: string, node: SchemaNode): string {
  const rows = rowsOf(node, name, false)
  return [
    `## \`${name}\``,
    node.description ?? '',
    ['| member | allowed | unit | default | reload | meaning |', '| --- | --- | --- | --- | --- | --- |', ...rows].join('\n'),
  ].join('\n\n')
}

function rowsOf(node: SchemaNode, path: string, required: boolean): string[] {
  const own = [row(node, path, required)]
  if (node.anyOf !== undefined) {
    const groups = node.anyOf.filter((variant) => isOpen(variant))
    return groups.length === 0 ? own : [...own, ...groups.flatMap((variant) => childRows(variant, path))]
  }
  if (!isOpen(node)) return own
  // A section without a default or class of its own is only a heading for its members.
  return node['x-reload'] === undefined ? childRows(node, path) : [...own, ...childRows(node, path)]
}

function childRows(node: SchemaNode, path: string): string[] {
  if (node.items !== undefined) return itemRows(node.items, `${path}[]`)
  const free = Object.values(node.patternProperties ?? {})[0]
  if (free !== undefined) return itemRows(free, `${path}.NAME`)
  const members = Object.entries(node.properties ?? {})
  const perOperation = members.filter(([name]) => isOperation(name))
  const repeated = new Set(perOperation.map(([, child]) => JSON.stringify(child))).size === 1 ? perOperation : []
  const rows = members
    .filter((member) => !repeated.includes(member))
    .flatMap(([name, child]) => rowsOf(child, memberPath(path, name), node.required?.includes(name) === true))
  const [first] = repeated
  return first === undefined ? rows : [...rows, ...rowsOf(first[1], `${path}.OPERATION`, false)]
}

/** An entry's own row says something only where it has members. */
function itemRows(node: SchemaNode, path: string): string[] {
  if (node.anyOf !== undefined) return rowsOf(node, path, false)
  return node.properties === undefined ? [] : childRows(node, path)
}

function isOpen(node: SchemaNode): boolean {
  return node.properties !== undefined || node.patternProperties !== undefined || (node.items !== undefined && (node.items.properties !== undefined || node.items.anyOf !== undefined))
}

function isOperation(name: string): boolean {
  return (operationTypes as readonly string[]).includes(name)
}

function row(node: SchemaNode, path: string, required: boolean): string {
  const cells = [`\`${path}\``, allowed(node), unitOf(node) ?? '', defaultOf(node, required), node['x-reload'] ?? '', isSecret(node) ? `${node.description ?? ''} A secret: never shown.` : (node.description ?? '')]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function isSecret(node: SchemaNode): boolean {
  return node['x-secret'] === true || node.anyOf?.some((variant) => variant['x-secret'] === true) === true
}

function defaultOf(node: SchemaNode, required: boolean): string {
  if (node.default === defaultPrices) return '[the table below](#built-in-prices)'
  if (node.default !== undefined) return `\`${JSON.stringify(node.default)}\``
  return required ? '(required)' : ''
}

function priceSection(prices: PriceTable): string {
  const rows = Object.entries(prices.models).map(([modelId, price]) => `| \`${modelId}\` | ${price.inputPerMillion} | ${price.outputPerMillion} |`)
  return [
    '## Built-in prices',
    `${prices.currency} per million tokens, checked on ${prices.asOf} (${prices.source}). Check them before you rely on them, and bring your own table in \`direct.prices\`.`,
    ['| model | input | output |', '| --- | --- | --- |', ...rows].join('\n'),
  ].join('\n\n')
}
