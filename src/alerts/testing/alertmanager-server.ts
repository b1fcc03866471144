/**
 * A real Prometheus Alertmanager for tests: the system's, on a free loopback port, in a folder of its own, stopped again.
 * It tells one webhook. `scripts/alertmanager.sh` installs it where it is missing.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../runtime/testing/free-port.ts'

export interface AlertmanagerServer {
  readonly url: string
  stop(): Promise<void>
}

export async function startAlertmanager(webhookUrl: string): Promise<AlertmanagerServer> {
  const script = fileURLToPath(new URL('../../../scripts/alertmanager.sh', import.meta.url))
  const installed = spawnSync('sh', [script], { encoding: 'utf8' })
  if (installed.status !== 0) throw new Error(`prometheus-alertmanager is missing and could not be installed: ${installed.stderr}`)
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-alertmanager-'))
  const config = {
    route: { receiver: 'page', group_by: ['alertname', 'component'], group_wait: '100ms', group_interval: '200ms', repeat_interval: '1h' },
    receivers: [{ name: 'page', webhook_configs: [{ url: webhookUrl, send_resolved: true }] }],
  }
  // JSON is YAML.
  writeFileSync(join(folder, 'alertmanager.yml'), JSON.stringify(config))
  const port = await freePort()
  const args = [`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${folder}`, `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address=']
  const child = spawn('prometheus-alertmanager', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  // Read to the end: a closed pipe would end the process with its next line.
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text = `${text}${chunk.toString()}`.slice(-10_000)))
  const isReady = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    )
  while (!(await isReady())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`prometheus-alertmanager did not start: ${text}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
