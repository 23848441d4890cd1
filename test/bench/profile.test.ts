import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { installation } from '../../bench/etcd/preconditions.ts'
import { selfTimes } from '../../bench/profile/top.ts'

function node(id: number, functionName: string, url = '', lineNumber = 0) {
  return { id, callFrame: { functionName, url, lineNumber } }
}

describe('self times', () => {
  it('are summed by function, without what is idle', () => {
    const nodes = [
      node(1, '(idle)'),
      node(2, 'encode', 'file:///somewhere/dist/wire/message.js', 41),
      node(3, '', 'file:///somewhere/node_modules/@grpc/grpc-js/build/src/server.js', 0),
      // The same function, called from somewhere else.
      node(4, 'encode', 'file:///somewhere/dist/wire/message.js', 41),
      node(5, '(garbage collector)'),
    ]
    const samples = [1, 2, 3, 4, 5, 1]
    const timeDeltas = [100, 5000, 2000, 1000, 4000, 3000]
    assert.deepEqual(selfTimes({ nodes, samples, timeDeltas }), [
      { name: 'encode', where: 'dist/wire/message.js:42', ms: 6, share: 0.6 },
      { name: '(garbage collector)', where: '', ms: 3, share: 0.3 },
      { name: '(anonymous)', where: '@grpc/grpc-js/build/src/server.js:1', ms: 1, share: 0.1 },
    ])
  })
})

describe('what is not installed', () => {
  it('is named with the one command that gets it', () => {
    assert.match(installation(['etcd', 'h2load']), /^ {2}sudo apt-get install etcd-server nghttp2-client$/m)
    assert.match(installation(['h2load']), /^ {2}sudo apt-get install nghttp2-client$/m)
    assert.doesNotMatch(installation(['h2load']), /service/)
  })
})
