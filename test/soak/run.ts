/**
 * `npm run soak -- [KILLS]`: the long form of the kill test (200 unless told), with its figures printed. Exit code 1 when
 * something that was accepted is lost or ended without a word.
 */
import { killAndRestart } from './kill-restart.ts'

const kills = Number(process.argv[2] ?? 200)
const figures = await killAndRestart(kills, Math.random)
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
process.exitCode = figures.lost.length + figures.silent.length + figures.cutOffLost.length === 0 ? 0 : 1
