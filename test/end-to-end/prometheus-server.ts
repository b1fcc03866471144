/**
 * A real Prometheus for tests: the system's, on a free loopback port, in a folder of its own, stopped again. It scrapes one
 * service. `scripts/prometheus.sh` installs it where it is missing.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '../../src/runtime/testing/free-port.ts'

export interface PrometheusServer {
  /** What its HTTP API answers, without the frame around it. */
  api(path: string): Promise<unknown>
  /** The samples that a query gives now, each with its labels. */
  query(promql: string): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]>
  stop(): Promise<void>
}

export function installPrometheus(): void {
  const installed = spawnSync('sh', [resolve(import.meta.dirname, '../../scripts/prometheus.sh')], { encoding: 'utf8' })
  if (installed.status !== 0) throw new Error(`prometheus is missing and could not be installed: ${installed.stderr}`)
}

/** @param key the bearer key with which it scrapes */
export async function startPrometheus(serviceUrl: string, key: string): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-prometheus-'))
  const scrape = { job_name: 'hybrid-routing', scrape_interval: '500ms', scrape_timeout: '500ms', authorization: { credentials: key }, static_configs: [{ targets: [new URL(serviceUrl).host] }] }
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify({ scrape_configs: [scrape] }))
  const port = await freePort()
  const child = spawn('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  // Read to the end: a closed pipe would end the process with its next line.
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text = `${text}${chunk.toString()}`.slice(-10_000)))
  const isReady = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    )
  while (!(await isReady())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`prometheus did not start: ${text}`)
    await new Promise((again) => setTimeout(again, 20))
  }
  const api = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as { readonly status: string; readonly data: unknown }
    if (answer.status !== 'success') throw new Error(JSON.stringify(answer))
    return answer.data
  }
  return {
    api,
    async query(promql) {
      const { result } = (await api(`/api/v1/query?query=${encodeURIComponent(promql)}`)) as { readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[] }
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
