/** A process that answers every Put with nothing done, by grpc-js or without it: what its first argument says. */
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { answerDirectly } from '../../src/server/answer-directly.ts'
import { grpcHandlers } from '../../src/server/grpc-calls.ts'
import type { UnaryHandler } from '../../src/server/unary-call.ts'
import { kvMethods } from '../../src/wire/services.ts'

const ANSWER = Buffer.of(8, 1)
const handlers = new Map<string, UnaryHandler>([[kvMethods.Put.path, (call) => call.answer(ANSWER)]])
const server = new Server({ 'grpc.enable_channelz': 0 })
server.addService({ Put: kvMethods.Put }, grpcHandlers(handlers))
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  if (
    process.argv[2] === 'direct' &&
    !answerDirectly(server, { unary: { handlers, maxBytes: 4 * 1024 * 1024 }, windowBytes: 1024 * 1024 })
  ) {
    throw new Error('this grpc-js keeps its servers elsewhere: there is no direct way')
  }
  process.send!(port)
})
process.once('disconnect', () => process.exit())
