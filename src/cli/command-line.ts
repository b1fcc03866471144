/**
 * The command line: the table of commands, their help, and the one place where a failure becomes a line on standard error
 * and an exit code (public contract, part 1). What a command does is in its own file, loaded when it is called: `operation`
 * does not pay for the server, nor `serve` for the emulator.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { operationTypes } from '../operation/matrix.ts'
import { version } from '../runtime/version.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'

const defaultUrl = 'http://127.0.0.1:8080'

export async function runCommandLine(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = exitCode.done
  const program = buildProgram(terminal, (result) => {
    code = result
  })
  try {
    if (words.length === 0) throw new CommandFailure('which command? `hybrid-routing --help` lists them', exitCode.usage)
    await program.parseAsync(words, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage
    if (error instanceof CommandFailure) {
      terminal.err(`hybrid-routing: ${error.message}\n`)
      return error.exitCode
    }
    throw error
  }
}

/** @param done tells the exit code of the command that ran. */
export function buildProgram(terminal: Terminal, done: (code: ExitCode) => void): Command {
  const program = new Command('hybrid-routing')
    .description('Answers AI operations in time: direct to Amazon Bedrock, or as messages over MCP, each the other’s fallback.')
    .version(version)
    .helpCommand(false)
    .enablePositionalOptions()
    .showHelpAfterError('(add --help for what is allowed)')
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .exitOverride()

  program
    .command('serve')
    .description('run the service; without --config it reads hybrid-routing.yaml in the working directory')
    .option('--config <file>', 'configuration, YAML or JSON (reference: docs/configuration.md)')
    .option('--port <port>', 'listen here instead of server.port', parsePort)
    .option('--host <host>', 'listen here instead of server.host; other than loopback needs auth')
    .action(async (options: { config?: string; port?: number; host?: string }) => {
      const { serveCommand } = await import('./serve-command.ts')
      done(await serveCommand(options, terminal))
    })

  program
    .command('demo')
    .description('run the service with everything it needs beside it, submit one operation of each type, and keep serving')
    .option('--port <port>', 'the service’s port', parsePort, 8080)
    .action(async (options: { port: number }) => {
      const { demoCommand } = await import('./demo-command.ts')
      done(await demoCommand(options, terminal))
    })

  program
    .command('emulator')
    .description('run the AWS emulator alone; access key, secret and bearer key are all `emulator`')
    .option('--port <port>', 'one port for every AWS service it speaks', parsePort, 9001)
    .option('--faults <file>', 'faults to inject from the start, YAML or JSON (reference: docs/emulator.md)')
    .action(async (options: { port: number; faults?: string }) => {
      const { emulatorCommand } = await import('./emulator-command.ts')
      done(await emulatorCommand(options, terminal))
    })

  program
    .command('mcp-server')
    .description('run the operations MCP server alone, over stdio or with --port over Streamable HTTP; it asks the direct.targets of its configuration')
    .option('--port <port>', 'listen on this port of 127.0.0.1 instead of stdio', parsePort)
    .option('--config <file>', 'configuration, YAML or JSON; without it hybrid-routing.yaml in the working directory')
    .action(async (options: { port?: number; config?: string }) => {
      const { mcpServerCommand } = await import('./mcp-server-command.ts')
      done(await mcpServerCommand(options, terminal))
    })

  program
    .command('operation')
    .description('submit one operation to a running service and print the answer as it streams')
    .argument('<type>', `one of ${operationTypes.join(', ')}`, parseOperationType)
    .argument('<prompt>', 'what to ask; - reads it from standard input')
    .option('--async', 'submit it, print its id, and do not wait')
    .option('--json', 'print the whole result as JSON')
    .addOption(urlOption())
    .action(async (operation: string, prompt: string, options: { async?: boolean; json?: boolean; url: string }) => {
      const { operationCommand } = await import('./operation-command.ts')
      done(await operationCommand({ operation, prompt, async: options.async === true, json: options.json === true, url: options.url }, terminal))
    })

  program
    .command('health')
    .description('show how a running service and each of its components are; exit code 1 when it is not healthy or degraded')
    .option('--json', 'print the whole answer as JSON')
    .addOption(urlOption())
    .action(async (options: { json?: boolean; url: string }) => {
      const { healthCommand } = await import('./health-command.ts')
      done(await healthCommand({ json: options.json === true, url: options.url }, terminal))
    })

  program
    .command('alerts')
    .description('show what is firing, the most urgent first; exit code 1 while nobody has acknowledged one')
    .option('--json', 'print the whole answer as JSON')
    .addOption(urlOption())
    .action(async (options: { json?: boolean; url: string }) => {
      const { alertsCommand } = await import('./alerts-command.ts')
      done(await alertsCommand({ json: options.json === true, url: options.url }, terminal))
    })

  program
    .command('decisions')
    .description('show the last routing decisions, what became of them, and which were right in hindsight')
    .option('--limit <count>', 'how many, 1 to 500', parseLimit, 20)
    .option('--json', 'print the whole answer as JSON')
    .addOption(urlOption())
    .action(async (options: { limit: number; json?: boolean; url: string }) => {
      const { decisionsCommand } = await import('./decisions-command.ts')
      done(await decisionsCommand({ limit: options.limit, json: options.json === true, url: options.url }, terminal))
    })

  program
    .command('admin')
    .description('pull an operators’ lever of a running service, or show what is in force; `admin --help` lists them')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[words...]', 'a lever and its options, such as: force-mcp --reason "Bedrock unavailable" --duration 3600')
    .action(async (words: string[]) => {
      const { adminCommand } = await import('./admin-command.ts')
      done(await adminCommand(words, terminal, parseUrl, defaultUrl))
    })

  program
    .command('morning-check')
    .description('the runbook’s five steps of the morning, with a verdict each')
    .option('--record', 'write the findings into the operations log')
    .option('--json', 'print the steps as JSON')
    .addOption(urlOption())
    .action(async (options: { record?: boolean; json?: boolean; url: string }) => {
      const { morningCheckCommand } = await import('./morning-check-command.ts')
      done(await morningCheckCommand({ url: options.url, record: options.record === true, json: options.json === true }, terminal))
    })

  program
    .command('doctor')
    .description('check configuration, credentials, model access and store, and say what to mend')
    .option('--config <file>', 'configuration, YAML or JSON; without it hybrid-routing.yaml in the working directory')
    .action(async (options: { config?: string }) => {
      const { doctorCommand } = await import('./doctor-command.ts')
      done(await doctorCommand(options, terminal))
    })

  program
    .command('drill')
    .description('run an incident on real sockets with injected faults and print the figures; without a name it lists the incidents')
    .argument('[scenario]', 'an incident by name, or all, which writes a report')
    .option('--seconds <seconds>', 'for how long operations come in; 20 unless given', parseCount)
    .option('--report <folder>', 'write a report with charts there; all writes one to bench/drills')
    .option('--seed <seed>', 'of operations and faults', parseCount, 1)
    .option('--scale <factor>', 'requirements and times are divided by it', parseCount, 10)
    .option('--json', 'print the reports as JSON')
    .action(async (scenario: string | undefined, options: { seconds?: number; report?: string; seed: number; scale: number; json?: boolean }) => {
      const { drillCommand } = await import('./drill-command.ts')
      const { seconds = null, report = null, seed, scale, json = false } = options
      done(await drillCommand({ scenario: scenario ?? null, seconds, report, seed, scale, json }, terminal))
    })

  program
    .command('simulate')
    .description('play incidents, or recorded operations, through the same decision code on a virtual clock, and compare configurations')
    .argument('[scenario]', 'an incident by name, or all', 'all')
    .option('--operations <count>', 'about so many; above 200000 without oracle and peers', parseCount)
    .option('--replay <file>', 'JSON Lines of recorded results in place of generated operations')
    .option('--config <file>', 'a configuration whose routing is compared; may be given several times', collect, [])
    .option('--seed <seed>', 'the same seed gives the same figures', parseCount, 1)
    .option('--scale <factor>', 'requirements and times are divided by it', parseCount, 10)
    .option('--json', 'print the reports as JSON')
    .action(async (scenario: string, options: { operations?: number; replay?: string; config: string[]; seed: number; scale: number; json?: boolean }) => {
      const { simulateCommand } = await import('./simulate-command.ts')
      const { operations = null, replay = null, config, seed, scale, json = false } = options
      done(await simulateCommand({ scenario, operations, replay, configs: config, seed, scale, json }, terminal))
    })

  return program
}

function urlOption(): Option {
  return new Option('--url <url>', 'where the service listens; a key is read from HYBRID_ROUTING_KEY').default(defaultUrl).argParser(parseUrl)
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a whole number from 0 (any free port) to 65535.')
  return port
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!/^\d{1,9}$/.test(text) || count < 1) throw new InvalidArgumentError('It is a whole number from 1 to 999999999.')
  return count
}

function collect(value: string, others: readonly string[]): readonly string[] {
  return [...others, value]
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (!/^\d+$/.test(text) || limit < 1 || limit > 500) throw new InvalidArgumentError('It is a whole number from 1 to 500.')
  return limit
}

function parseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) throw new InvalidArgumentError('It is an address such as http://127.0.0.1:8080.')
  return text.replace(/\/+$/, '')
}

function parseOperationType(text: string): string {
  if (!operationTypes.some((type) => type === text)) throw new InvalidArgumentError(`It is one of ${operationTypes.join(', ')}.`)
  return text
}
