/**
 * The load generator's process: takes one job at a time over IPC and answers with its report, or with the error that
 * kept it from running. Ends with the channel.
 */
import type { LoadJob } from './job.ts'
import { runLoad } from './run-load.ts'

process.on('message', (job: LoadJob) => {
  runLoad(job).then(
    (report) => process.send?.({ report }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  )
})
process.on('disconnect', () => {
  process.exit(0)
})
