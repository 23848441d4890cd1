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
    const samples = [1, 2, 4, 2, 3, 5, 5, 4, 1, 2, 5]
    // The seventh came late: the process was not let run.
    const timeDeltas = samples.map((_, i) => (i === 6 ? 90_000 : 1000))
    assert.deepEqual(selfTimes({ nodes, samples, timeDeltas }), [
      { name: 'encode', where: 'dist/wire/message.js:42', ms: 5, share: 5 / 9 },
      { name: '(garbage collector)', where: '', ms: 3, share: 3 / 9 },
      { name: '(anonymous)', where: '@grpc/grpc-js/build/src/server.js:1', ms: 1, share: 1 / 9 },
    ])
  })

  it('of no samples are none', () => {
    assert.deepEqual(selfTimes({ nodes: [], samples: [], timeDeltas: [] }), [])
  })
})

describe('what is not installed', () => {
  it('is named with the one command that gets it', () => {
    assert.match(installation(['etcd', 'h2load']), /^ {2}sudo apt-get install etcd-server nghttp2-client$/m)
    assert.match(installation(['h2load']), /^ {2}sudo apt-get install nghttp2-client$/m)
    assert.doesNotMatch(installation(['h2load']), /service/)
  })
})
