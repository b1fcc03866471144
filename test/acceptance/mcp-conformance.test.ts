/**
 * The MCP project's own conformance suite, against both ends of the MCP path: its client scenarios against the sessions of
 * the MCP Router, its server scenarios against `hybrid-routing mcp-server` over Streamable HTTP, each on both wires.
 *
 * What does not apply is named, with the reason: for the server in `test/conformance/server-*.yml`, for the client below.
 * Everything else that a revision requires has to pass, and no scenario is neither.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { emptyFolder, start } from './program.ts'

const here = resolve(import.meta.dirname, '../conformance')
const suite = resolve(import.meta.dirname, '../../node_modules/@modelcontextprotocol/conformance')
const revisions = ['2025-11-25', '2026-07-28'] as const
type Revision = (typeof revisions)[number]

const results = mkdtempSync(join(tmpdir(), 'hybrid-routing-'))
afterAll(() => rmSync(results, { recursive: true, force: true }))

const clientScenarios: Readonly<Record<Revision, readonly string[]>> = {
  '2025-11-25': ['initialize', 'tools_call', 'sse-retry', 'json-schema-2020-12-preservation'],
  '2026-07-28': ['tools_call', 'request-metadata', 'sep-2322-client-request-state', 'http-standard-headers', 'http-custom-headers', 'http-invalid-tool-headers', 'json-schema-ref-no-deref', 'json-schema-2020-12-preservation'],
}

const notForTheClient: readonly { readonly scenarios: RegExp; readonly why: string }[] = [
  { scenarios: /^auth\//, why: 'OAuth flows: a server is reached with configured headers or a bearer token from the environment or a file' },
  { scenarios: /^elicitation-/, why: 'nobody sits behind the router who could be asked: it declares no elicitation, and an asking call fails' },
]

interface Requirements {
  readonly client: readonly string[]
  readonly not_scored: readonly { readonly scenario: string; readonly leg: 'client' | 'server' }[]
}

function clientScenariosOf(revision: Revision): readonly string[] {
  const { client, not_scored } = parse(readFileSync(join(suite, `requirements/${revision}.yaml`), 'utf8')) as Requirements
  return [...client, ...not_scored.filter(({ leg }) => leg === 'client').map(({ scenario }) => scenario)]
}

/** Resolves with what it printed when it found fault, and with nothing when all is well. */
function faultsOf(...words: readonly string[]): Promise<string> {
  return new Promise((fulfil) => {
    execFile(process.execPath, [join(suite, 'dist/index.js'), ...words, '--timeout', '50000', '--output-dir', results], { maxBuffer: 64 * 1_048_576 }, (error, out, err) => {
      fulfil(error === null ? '' : `${error.message}\n${out}\n${err}`)
    })
  })
}

describe('the client scenarios of the conformance suite', () => {
  it.each(revisions)('of %s are run, or it is said why not', (revision) => {
    const rest = clientScenariosOf(revision).filter((name) => !clientScenarios[revision].includes(name) && !notForTheClient.some(({ scenarios }) => scenarios.test(name)))
    expect(rest).toEqual([])
    expect(clientScenariosOf(revision)).toEqual(expect.arrayContaining([...clientScenarios[revision]]))
  })

  const runs = revisions.flatMap((revision) => clientScenarios[revision].map((scenario) => [revision, scenario] as const))
  it.concurrent.each(runs)(
    'on the wire of %s: %s',
    async (revision, scenario) => {
      const driver = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(here, 'client-driver.ts'))}`
      const baseline = revision === '2026-07-28' ? ['--expected-failures', join(here, 'client-2026-07-28.yml')] : []
      expect(await faultsOf('client', '--command', driver, '--scenario', scenario, '--spec-version', revision, ...baseline)).toBe('')
    },
    60_000,
  )
})

describe('the server scenarios of the conformance suite', () => {
  it.each(revisions)(
    'on the wire of %s',
    async (revision) => {
      const folder = emptyFolder()
      // The scenarios ask the protocol, not the model: the target is never called.
      const target = { id: 'own', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', endpoint: 'http://127.0.0.1:9' }
      writeFileSync(join(folder, 'hybrid-routing.yaml'), JSON.stringify({ direct: { targets: [target], credentials: { accessKeyId: '${KEY}', secretAccessKey: '${SECRET}' } } }))
      const program = start(['mcp-server', '--port', '0'], { folder, environment: { KEY: 'unused', SECRET: 'unused' } })
      const [, url = ''] = await program.untilOut(/(http:\/\/\S+)/)
      expect(await faultsOf('server', '--url', url, '--requirements', revision, '--expected-failures', join(here, `server-${revision}.yml`))).toBe('')
    },
    60_000,
  )
})
