import { expect, it } from 'vitest'
import { killAndRestart } from './kill-restart.ts'

it('ten kills at random moments lose nothing that was accepted', async () => {
  const figures = await killAndRestart(10, Math.random)
  expect(figures.accepted).toBeGreaterThan(20)
  expect(figures).toMatchObject({ lost: [], silent: [], cutOffLost: [] })
}, 240_000)
