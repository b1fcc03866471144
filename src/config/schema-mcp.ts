/**
 * The configuration of the MCP Router: which MCP servers there are and which of their tools carries which operation. Part
 * of the one schema (`schema.ts`).
 *
 * `servers` has the shape of the `mcpServers` file that Kiro and Claude read, so that an entry can be pasted: members of
 * those files that mean nothing to a router (`autoApprove`, `disabledTools`, `type`) are accepted and not used. `timeout`
 * keeps the spelling of those files; Kiro once read it in seconds, so values that look like seconds are warned about.
 */
import { Type, type TObject, type TOptional } from 'typebox'
import { operationTypes, type OperationType } from '../operation/matrix.ts'
import type { JsonObject } from '../operation/converse.ts'
import { choice, flag, group, list, named, oneOf, optional, orNull, section, text, whole } from './fields.ts'
import { idNames, urlText } from './schema-direct.ts'

const toolNames = (description: string) =>
  optional(list(text({ description: 'A tool.', reload: 'restart' }), { description: `${description} Accepted from a host’s file and not used.`, reload: 'restart' }))

const serverMembers = {
  disabled: flag({ description: 'A disabled server is known and never connected.', default: false, reload: 'restart' }),
  timeout: orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum: 3_600_000, reload: 'restart' }), {
    description: 'How long one call may take, within the operation’s deadline; `null`: the deadline alone.',
    default: null,
    reload: 'restart',
  }),
  concurrency: whole({ description: 'Calls to this server at once; further ones wait in the queue.', unit: 'calls', minimum: 1, maximum: 10_000, default: 16, reload: 'restart' }),
  type: optional(text({ description: 'The transport’s name in a host’s file. Accepted and not used: `command` or `url` says it.', maxLength: 32, reload: 'restart' })),
  autoApprove: toolNames('Tools that a host does not ask about.'),
  disabledTools: toolNames('Tools that a host hides.'),
}

const variableNames = { pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$', form: 'the name of an environment variable' }
const headerNames = { pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$", form: 'the name of a header' }

const stdioServer = group(
  {
    command: text({ description: 'The program that speaks MCP over its standard input and output.', reload: 'restart' }),
    args: list(text({ description: 'An argument.', minLength: 0, reload: 'restart' }), { description: 'Its arguments.', default: [], reload: 'restart' }),
    env: named(text({ description: 'A value.', minLength: 0, maxLength: 32_768, secret: true, reload: 'restart' }), {
      description: 'Environment variables for it, besides the few that every program needs.',
      names: variableNames,
      default: {},
      reload: 'restart',
    }),
    cwd: orNull(text({ description: '', reload: 'restart' }), { description: 'Its working directory; `null`: that of the service.', default: null, reload: 'restart' }),
    ...serverMembers,
  },
  { description: 'A server that is started as a child process.', reload: 'restart' },
)

const httpServer = group(
  {
    url: text({
      ...urlText,
      description: 'The address of a server that speaks Streamable HTTP.',
      reload: 'restart',
    }),
    headers: named(text({ description: 'A value.', minLength: 0, maxLength: 16_384, pattern: '^[\\x20-\\x7e]*$', form: 'visible ASCII', secret: true, reload: 'restart' }), {
      description: 'Headers of every request to it, such as `Authorization`.',
      names: headerNames,
      default: {},
      reload: 'restart',
    }),
    bearerToken: orNull(
      oneOf(
        [
          group({ environment: text({ ...variableNames, description: 'The environment variable that holds it.', reload: 'restart' }) }, { description: 'A token from the environment.', reload: 'restart' }),
          group({ file: text({ description: 'The file that holds it; read again when it was rotated.', reload: 'restart' }) }, { description: 'A token from a file.', reload: 'restart' }),
        ],
        { description: '', reload: 'restart' },
      ),
      { description: 'Where the bearer token of every request to it comes from; `null`: there is none.', default: null, reload: 'restart' },
    ),
    ...serverMembers,
  },
  { description: 'A server that is reached over HTTP.', reload: 'restart' },
)

const route = group(
  {
    servers: list(text({ ...idNames, description: 'A name of `mcp.servers`.', reload: 'restart' }), {
      description: 'The servers that carry the operation, by measured health; the first is preferred.',
      minItems: 1,
      maxItems: 64,
      reload: 'restart',
    }),
    tool: text({ description: 'The tool that is called.', maxLength: 256, reload: 'restart' }),
    carries: choice(['converse', 'text'], {
      description: '`converse`: the tool takes the whole canonical request, so tools, images and guardrails travel too. `text`: only text.',
      default: 'text',
      reload: 'restart',
    }),
    repeatable: flag({ description: 'Whether the call may be made more than once for one operation.', default: false, reload: 'restart' }),
    arguments: orNull(Type.Unsafe<JsonObject>({ type: 'object', description: 'Any JSON.' }), {
      description: 'A template of the arguments, with `{{prompt}}` and the other members of the call; `null`: the members themselves.',
      default: null,
      reload: 'restart',
    }),
  },
  { description: 'Which tool of which servers carries an operation.', reload: 'restart' },
)

const routeOrNull = () => orNull(route, { description: 'The route for every operation type without one of its own; `null`: none.', default: null, reload: 'restart' })

export const mcpSchema = section('The MCP Router.', {
  servers: named(oneOf([stdioServer, httpServer], { description: 'A server: `command` starts one, `url` reaches one.', reload: 'restart' }), {
    description: 'The MCP servers, in the shape of the `mcpServers` file that Kiro and Claude read.',
    names: idNames,
    default: {},
    reload: 'restart',
  }),
  routes: group(
    { default: routeOrNull(), ...Object.fromEntries(operationTypes.map((type) => [type, optional(route)])) },
    { description: 'Which tool of which servers carries an operation, per operation type.', default: {}, reload: 'restart' },
  ) as unknown as TObject<{ default: ReturnType<typeof routeOrNull> } & Record<OperationType, TOptional<typeof route>>>,
})
