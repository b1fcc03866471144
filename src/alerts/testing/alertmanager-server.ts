/**
 * A real Prometheus Alertmanager for tests: the system's. It tells one webhook.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { saysReady, startSystemServer, type SystemServer } from '../../runtime/testing/system-server.ts'

export interface AlertmanagerServer extends SystemServer {
  readonly url: string
}

export async function startAlertmanager(webhookUrl: string): Promise<AlertmanagerServer> {
  const server = await startSystemServer({
    program: 'prometheus-alertmanager',
    args(folder, port) {
      const config = {
        route: { receiver: 'page', group_by: ['alertname', 'component'], group_wait: '100ms', group_interval: '200ms', repeat_interval: '1h' },
        receivers: [{ name: 'page', webhook_configs: [{ url: webhookUrl, send_resolved: true }] }],
      }
      // JSON is YAML.
      writeFileSync(join(folder, 'alertmanager.yml'), JSON.stringify(config))
      return [`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${folder}`, `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address=']
    },
    isReady: saysReady,
  })
  return { ...server, url: `http://127.0.0.1:${server.port}` }
}
