/**
 * `hybrid-routing admin LEVER …`: the operators' levers from the command line, and what is in force. Every lever of the table
 * (`levers/lever-table.ts`) is a command here with its members as options; the one that it is about may stand without its
 * name (`admin bedrock-percentage 10`, `admin isolate-component mcp-router`).
 *
 * Exit code 0 done, 1 refused or not reached, 2 wrong usage. `audit-verify` is 1 when the trail was tampered with.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { featureFlagNames } from '../levers/feature-flags.ts'
import { leverNames, leverTable, type LeverDefinition, type LeverName } from '../levers/lever-table.ts'
import type { LeverAnswer, Override } from '../levers/lever-answer.ts'
import type { AuditRecord } from '../audit/audit-record.ts'
import type { Verification } from '../audit/audit-trail.ts'
import type { OperationsLogEntry } from '../audit/operations-log.ts'
import { createServiceClient, type ServiceClient } from './service-client.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { printable, textTable } from './text-table.ts'

/** The member that a lever is about, given without its name. */
const subjects: Readonly<Partial<Record<LeverName, string>>> = {
  'reset-breakers': 'component',
  'enable-breakers': 'component',
  'disable-breakers': 'component',
  'bedrock-percentage': 'percentage',
  'isolate-component': 'component',
  'restore-component': 'component',
  'config-rollback': 'id',
  'enable-flag': 'name',
  'disable-flag': 'name',
}

interface CommonOptions {
  readonly url: string
  readonly json?: boolean
}

export async function adminCommand(words: readonly string[], terminal: Terminal, urlOf: (text: string) => string, defaultUrl: string): Promise<ExitCode> {
  let code: ExitCode = exitCode.done
  const program = buildAdmin(terminal, urlOf, defaultUrl, (result) => {
    code = result
  })
  try {
    if (words.length === 0) throw new CommandFailure('which lever? `hybrid-routing admin --help` lists them', exitCode.usage)
    await program.parseAsync([...words], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage
    throw error
  }
}

function buildAdmin(terminal: Terminal, urlOf: (text: string) => string, defaultUrl: string, done: (code: ExitCode) => void): Command {
  const program = new Command('hybrid-routing admin')
    .description('Pulls the operators’ levers of a running service, and shows what is in force. The key is read from HYBRID_ROUTING_KEY.')
    .helpCommand(false)
    .showHelpAfterError('(add --help for what is allowed)')
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .exitOverride()
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('--url <url>', 'where the service listens', urlOf, defaultUrl)
      .option('--json', 'print the whole answer as JSON')
  const show = (name: string, description: string, path: string, text: (answer: never) => string): void => {
    command(name, description).action(async (options: CommonOptions) => {
      const answer = await createServiceClient(options.url, terminal).getJson(path)
      terminal.out(options.json === true ? jsonText(answer) : text(answer as never))
      done(exitCode.done)
    })
  }

  show('status', 'All levers in force: who, why, since and until', '/admin/status', statusText)
  show('flags', 'The feature flags', '/admin/feature-flags', flagsText)
  show('support-status', 'The support mode', '/admin/support/status', (answer: { readonly mode: string; readonly message: string }) => `${answer.mode}\n${answer.message}\n`)
  show('history', 'Changes of the configuration, newest first', '/admin/config/history', (answer: { readonly changes: readonly AuditRecord[] }) => auditText(answer.changes))
  show('operations-log', 'The operations log, newest first', '/admin/operations-log', (answer: { readonly entries: readonly OperationsLogEntry[] }) => operationsLogText(answer.entries))

  command('audit', 'The audit trail, newest first')
    .option('--kind <kind>', 'only records of this kind')
    .option('--who <name>', 'only what this key or component did')
    .option('--what <lever>', 'only this lever')
    .option('--component <name>', 'only what concerned this component')
    .option('--since <time>', 'RFC 3339')
    .option('--limit <count>', 'how many, 1 to 500', '50')
    .action(async ({ url, json, ...filter }: CommonOptions & Readonly<Record<string, string>>) => {
      const answer = (await createServiceClient(url, terminal).getJson(`/admin/audit?${new URLSearchParams(filter).toString()}`)) as { readonly records: readonly AuditRecord[] }
      terminal.out(json === true ? jsonText(answer) : auditText(answer.records))
      done(exitCode.done)
    })
  command('audit-verify', 'Whether a record was altered, removed, inserted or reordered').action(async (options: CommonOptions) => {
    const answer = (await createServiceClient(options.url, terminal).getJson('/admin/audit/verify')) as Verification
    terminal.out(options.json === true ? jsonText(answer) : verificationText(answer))
    done(answer.ok ? exitCode.done : exitCode.failed)
  })
  command('audit-export', 'The audit trail as JSON Lines').action(async (options: CommonOptions) => {
    terminal.out(await createServiceClient(options.url, terminal).getText('/admin/audit/export'))
    done(exitCode.done)
  })
  for (const [name, description] of [['acknowledge', 'Take over an alert and its incident'], ['resolve', 'Resolve an alert by hand']] as const) {
    command(name, description)
      .argument('<id>', 'the alert’s id')
      .option('--reason <text>', 'why')
      .action(async (id: string, options: CommonOptions & { readonly reason?: string }) => {
        const answer = await createServiceClient(options.url, terminal).postJson(`/health/alerts/${encodeURIComponent(id)}/${name}`, options.reason === undefined ? {} : { reason: options.reason })
        terminal.out(options.json === true ? jsonText(answer) : `${name}d ${printable(id)}\n`)
        done(exitCode.done)
      })
  }
  for (const name of leverNames) addLever(command(name, leverTable[name].summary), name, terminal, done)
  return program
}

function addLever(command: Command, name: LeverName, terminal: Terminal, done: (code: ExitCode) => void): void {
  const { body, pathMember }: LeverDefinition = leverTable[name]
  const subject = subjects[name]
  const optionNames = new Map<string, string>()
  if (subject !== undefined) {
    const needed = pathMember === subject || !('~optional' in (body[subject] ?? {}))
    const about = pathMember === subject ? `one of ${featureFlagNames.join(', ')}` : describe(body[subject])
    command.argument(needed ? `<${subject}>` : `[${subject}]`, about)
  }
  for (const [member, schema] of Object.entries(body)) {
    if (member === subject) continue
    optionNames.set(optionKey(member), member)
    const flag = `--${kebab(member)}`
    const optional = '~optional' in schema
    if (typeOf(schema) === 'boolean') command.option(optional ? flag : `${flag} [yes]`, describe(schema))
    else command[optional ? 'option' : 'requiredOption'](`${flag} <${typeOf(schema)}>`, describe(schema))
  }
  command
    .option('--reason <text>', 'why, for the audit trail')
    .option('--duration <seconds>', 'after which it undoes itself', parseNumber)
    .option('--dry-run', 'say what would change, and change nothing')
    .addHelpText('after', `\nUndone: ${leverTable[name].undone}`)
    .action(async (...given: readonly unknown[]) => {
      const options = given.at(subject === undefined ? 0 : 1) as CommonOptions & Readonly<Record<string, unknown>>
      const request: Record<string, unknown> = {}
      for (const [key, member] of optionNames) if (options[key] !== undefined) request[member] = valueOf(body[member], options[key], member)
      if (subject !== undefined && given[0] !== undefined && pathMember !== subject) request[subject] = valueOf(body[subject], given[0], subject)
      for (const key of ['reason', 'duration', 'dryRun'] as const) if (options[key] !== undefined) request[key] = options[key]
      const answer = await send(createServiceClient(options.url, terminal), name, String(given[0]), request)
      terminal.out(options.json === true ? jsonText(answer) : answerText(answer))
      done(exitCode.done)
    })
}

async function send(client: ServiceClient, name: LeverName, subject: string, body: object): Promise<LeverAnswer> {
  const { method, path, pathMember }: LeverDefinition = leverTable[name]
  const url = pathMember === undefined ? path : path.replace(`:${pathMember}`, encodeURIComponent(subject))
  return (await (method === 'DELETE' ? client.deleteJson(url, body) : client.postJson(url, body))) as LeverAnswer
}

function typeOf(schema: object | undefined): string {
  return schema !== undefined && 'type' in schema && typeof schema.type === 'string' ? schema.type : 'word'
}

function describe(schema: object | undefined): string {
  return schema !== undefined && 'description' in schema && typeof schema.description === 'string' ? schema.description : ''
}

function valueOf(schema: object | undefined, given: unknown, member: string): unknown {
  switch (typeOf(schema)) {
    case 'boolean':
      if (given === true || given === 'true' || given === 'yes') return true
      if (given === 'false' || given === 'no') return false
      throw new CommandFailure(`--${kebab(member)} is yes or no`, exitCode.usage)
    case 'integer':
    case 'number': {
      const value = Number(given)
      if (String(given).trim() === '' || Number.isNaN(value)) throw new CommandFailure(`${member} is a number`, exitCode.usage)
      return value
    }
    case 'array':
      return String(given).split(',').map((word) => word.trim())
    default:
      return String(given)
  }
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It is a number of seconds.')
  return value
}

function kebab(member: string): string {
  return member.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** How Commander names an option's value. */
function optionKey(member: string): string {
  return kebab(member).replaceAll(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase())
}

function jsonText(answer: unknown): string {
  return `${JSON.stringify(answer, null, 2)}\n`
}

const statusWords = { applied: 'done', unchanged: 'nothing to change', dry_run: 'dry run: nothing was changed' } as const

function answerText(answer: LeverAnswer): string {
  const lines = [`${answer.lever}: ${statusWords[answer.status]}`]
  for (const { what, before, after } of answer.changed) lines.push(`  ${what}: ${word(before)} -> ${word(after)}`)
  if (answer.until !== null) lines.push(`  until ${answer.until}`)
  if (answer.notApplied.length > 0) lines.push(`  does not apply to: ${answer.notApplied.join(', ')}`)
  for (const warning of answer.warnings) lines.push(`  note: ${warning}`)
  if (answer.result !== undefined) lines.push(`  ${JSON.stringify(answer.result, null, 2).replaceAll('\n', '\n  ')}`)
  if (answer.status !== 'dry_run') lines.push(`  undo: ${answer.undo}`, `  audit: ${answer.auditId ?? 'none'}${answer.audit === 'waiting' ? ' (the store is away: written when it is back)' : ''}`)
  return lines.map((line) => `${line.split('\n').map(printable).join('\n')}\n`).join('')
}

function word(value: unknown): string {
  return value === null ? 'none' : typeof value === 'string' ? value : JSON.stringify(value)
}

function statusText(answer: { readonly overrides: readonly Override[]; readonly modes: Readonly<Record<string, unknown>>; readonly stored: boolean; readonly audit: { readonly waiting: number } }): string {
  const table =
    answer.overrides.length === 0
      ? 'No lever is in force.\n'
      : textTable(['WHAT', 'VALUE', 'BY', 'SINCE', 'UNTIL', 'REASON'], answer.overrides.map(({ what, value, by, automatic, since, until, reason }) => [what, word(value), automatic ? `${by} (automatic)` : by, since, until ?? 'it is lifted', reason ?? '']))
  const away = answer.stored && answer.audit.waiting === 0 ? '' : `The store is away: ${answer.audit.waiting} audit records wait.\n`
  return `${table}${away}`
}

function flagsText({ flags }: { readonly flags: Readonly<Record<string, { readonly enabled: boolean; readonly meaning: string; readonly by: string | null; readonly until: string | null }>> }): string {
  return textTable(['FLAG', 'STATE', 'BY', 'UNTIL', 'MEANING'], Object.entries(flags).map(([name, { enabled, by, until, meaning }]) => [name, enabled ? 'on' : 'off', by ?? '', until ?? '', meaning]))
}

function auditText(records: readonly AuditRecord[]): string {
  if (records.length === 0) return 'No record.\n'
  return textTable(['NUMBER', 'AT', 'WHO', 'WHAT', 'COMPONENT', 'REASON', 'ID'], records.map(({ sequence, atMs, who, what, component, reason, id }) => [String(sequence), new Date(atMs).toISOString(), who, what, component, reason ?? '', id]))
}

function verificationText({ ok, records, lastSequence, findings, waiting }: Verification): string {
  const lines = [ok ? `The trail is whole: ${records} records, the last is number ${lastSequence}.` : `The trail was tampered with: ${findings.length} findings in ${records} records.`]
  for (const { kind, sequence, message } of findings) lines.push(`  ${sequence}  ${kind}  ${message}`)
  if (waiting > 0) lines.push(`${waiting} records wait for the store.`)
  return lines.map((line) => `${printable(line)}\n`).join('')
}

function operationsLogText(entries: readonly OperationsLogEntry[]): string {
  if (entries.length === 0) return 'No entry.\n'
  return entries.map(({ createdAt, author, title, findings, actions }) => [`${createdAt}  ${author}  ${title}`, ...findings.map((finding) => `  found: ${finding}`), ...actions.map((action) => `  did: ${action}`)].map((line) => `${printable(line)}\n`).join('')).join('')
}
