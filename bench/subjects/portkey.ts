/**
 * The Portkey gateway from npm as a subject: its Bedrock provider, given keys, region and the mock as custom host by
 * headers, asked through its chat completions API, which it maps to Converse. Installed on demand from its own lockfile.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/runtime/testing/free-port.ts'
import { cores, untilReady } from '../children.ts'
import { writePlan } from '../stream-plan.ts'
import { maxTokens, post, prompt, readyWithinMs, type Subject } from './subject.ts'

const folder = fileURLToPath(new URL('../peers/portkey', import.meta.url))
const packageFolder = join(folder, 'node_modules/@portkey-ai/gateway')
const program = join(packageFolder, 'build/start-server.js')
const loopbackOnly = new URL('../peers/loopback-only.ts', import.meta.url).href
const installWithinMs = 180_000

const wanted = (): string => {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
  return manifest.dependencies['@portkey-ai/gateway'] ?? ''
}

export function portkeyVersion(): string | null {
  const manifest = join(packageFolder, 'package.json')
  if (!existsSync(manifest)) return null
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

/** Installs the locked version where it is missing. A lock that a registry cannot satisfy falls back to the exact version. */
export function installPortkey(say: (line: string) => void): void {
  if (portkeyVersion() === wanted() && existsSync(program)) return
  say(`installing the Portkey gateway ${wanted()} into ${folder}, once`)
  const npm = (verb: string): void => {
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    execFileSync('npm', [verb, ...options, ...(verb === 'install' ? ['--no-save'] : [])], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: installWithinMs,
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` },
    })
  }
  try {
    npm('ci')
  } catch {
    say('npm ci did not accept the lock; trying npm install')
    npm('install')
  }
}

export const portkey: Subject = {
  name: 'portkey',
  title: 'Portkey gateway, Bedrock provider',
  async start(children, upstreamPort) {
    const port = await freePort()
    const startedAtMs = performance.now()
    const child = children.start({
      name: 'portkey',
      core: cores.service,
      command: [process.execPath, '--disable-warning=ExperimentalWarning', '--import', loopbackOnly, program, `--port=${port}`, '--headless'],
      env: { ENVIRONMENT: 'production' },
    })
    await untilReady(child, port, '/', readyWithinMs)
    const headers = {
      'x-portkey-provider': 'bedrock',
      'x-portkey-aws-access-key-id': 'emulator',
      'x-portkey-aws-secret-access-key': 'emulator',
      'x-portkey-aws-region': 'us-east-1',
      'x-portkey-custom-host': `http://127.0.0.1:${upstreamPort}`,
    }
    const ask = (text: string, stream: boolean): string =>
      post(port, '/v1/chat/completions', headers, {
        model: 'anthropic.bench-model',
        max_tokens: maxTokens,
        messages: [{ role: 'user', content: text }],
        ...(stream ? { stream } : {}),
      })
    return {
      name: 'portkey',
      child,
      port,
      readyMs: performance.now() - startedAtMs,
      answerRequest: ask(prompt, false),
      streamRequest: (plan) => ask(`${prompt} ${writePlan(plan)}`, true),
    }
  },
}
