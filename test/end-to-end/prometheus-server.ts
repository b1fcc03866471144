/**
 * A real Prometheus for tests: the system's. It scrapes one service.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { saysReady, startSystemServer, type SystemServer } from '../../src/runtime/testing/system-server.ts'

export interface PrometheusServer extends SystemServer {
  /** What its HTTP API answers, without the frame around it. */
  api(path: string): Promise<unknown>
  /** The samples that a query gives now, each with its labels. */
  query(promql: string): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]>
}

/** @param key the bearer key with which it scrapes */
export async function startPrometheus(serviceUrl: string, key: string): Promise<PrometheusServer> {
  const server = await startSystemServer({
    program: 'prometheus',
    args(folder, port) {
      const scrape = { job_name: 'hybrid-routing', scrape_interval: '500ms', scrape_timeout: '500ms', authorization: { credentials: key }, static_configs: [{ targets: [new URL(serviceUrl).host] }] }
      // JSON is YAML.
      writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify({ scrape_configs: [scrape] }))
      return [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`]
    },
    isReady: saysReady,
  })
  const api = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`http://127.0.0.1:${server.port}${path}`)).json()) as { readonly status: string; readonly data: unknown }
    if (answer.status !== 'success') throw new Error(JSON.stringify(answer))
    return answer.data
  }
  return {
    ...server,
    api,
    async query(promql) {
      const { result } = (await api(`/api/v1/query?query=${encodeURIComponent(promql)}`)) as { readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[] }
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
  }
}
