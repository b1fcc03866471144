import { describe, expect, it } from 'vitest'
import { operationTypes } from '../operation/matrix.ts'
import { carriedBy } from './server-view.ts'
import { changedServers, routeOf, toolsExpectedOf } from './settings.ts'
import type { McpSettings } from './settings.ts'

const settings: McpSettings = {
  servers: { ops: { url: 'http://127.0.0.1:9100/mcp' }, local: { command: 'node', args: ['server.js'] } },
  routes: {
    default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true },
    standard_analysis: { servers: ['local', 'ops'], tool: 'search', arguments: { query: '{{prompt}}' } },
  },
}

describe('a route', () => {
  it('of its own is taken before the default one, and is cautious where it says nothing', () => {
    expect(routeOf(settings, 'standard_analysis')).toEqual({ servers: ['local', 'ops'], tool: 'search', carries: 'text', repeatable: false, template: { query: '{{prompt}}' } })
    expect(routeOf(settings, 'background_task')).toMatchObject({ tool: 'execute_operation', carries: 'converse', repeatable: true, template: null })
    expect(routeOf({ servers: {}, routes: {} }, 'emergency')).toBeNull()
  })

  it('expects its tool of each of its servers', () => {
    expect(toolsExpectedOf(settings, 'ops')).toEqual(['execute_operation', 'search'])
    expect(toolsExpectedOf(settings, 'local')).toEqual(['search'])
  })

  it('decides what a server carries for each operation', () => {
    expect(carriedBy(settings, 'local')).toEqual({ standard_analysis: 'text' })
    expect(Object.keys(carriedBy(settings, 'ops')).toSorted()).toEqual([...operationTypes].toSorted())
  })
})

describe('an update', () => {
  it('touches only servers that are new, gone or different', () => {
    const after: McpSettings = { servers: { ops: { url: 'http://127.0.0.1:9100/mcp' }, local: { command: 'node', args: ['other.js'] }, extra: { command: 'x' } }, routes: {} }
    expect(changedServers(settings, after)).toEqual(['local', 'extra'])
    expect(changedServers(settings, { servers: {}, routes: {} })).toEqual(['ops', 'local'])
  })
})
