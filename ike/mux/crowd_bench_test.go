//go:build unix

package mux_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
)

// crowds are the numbers of peers that are tried; IPSECLAB_BENCH_PEERS is another largest one.
func crowds(b *testing.B) []int {
	most := 10_000
	if s := os.Getenv("IPSECLAB_BENCH_PEERS"); s != "" {
		var err error
		most, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	sizes := []int{most}
	for sizes[0] > 100 {
		sizes = append([]int{sizes[0] / 10}, sizes...)
	}
	return sizes
}

// BenchmarkMainModes has the peers of one gateway establish their main modes within a
// minute, and looks at what one takes: processor time of both ends, and memory, of the
// gateway and of the peer. No pair of SAs comes of it, and what was kept to
// answer copies is gone when memory is measured.
func BenchmarkMainModes(b *testing.B) {
	for _, method := range []ike.AuthMethod{ike.PreSharedKey, ike.RSASignature} {
		for _, peers := range crowds(b) {
			b.Run(fmt.Sprintf("%v/%d", method, peers), func(b *testing.B) {
				var cpu time.Duration
				var ofGateway, ofPeer int
				for range b.N {
					start := heapOf(newCrowd(b, 0))
					c := newCrowd(b, peers)
					c.gateway.refuses = true
					if method != ike.PreSharedKey {
						certify(b, "rsa-1024", method, c.gateway, c.peers[0])
						for _, p := range c.peers {
							p.auth = c.peers[0].auth
						}
					}
					idle := heapOf(c)
					before := cpuTime(b)
					c.ask(time.Minute)
					c.run(2 * time.Minute)
					cpu += cpuTime(b) - before
					c.run(10 * time.Minute)
					require.Len(b, established(c.gateway), peers)
					both := heapOf(c) - idle
					c.peers, c.n.hosts = nil, nil
					clear(c.at)
					c.next = nil
					alone := heapOf(c) - start
					ofGateway += alone
					ofPeer += both - alone
				}
				each := float64(peers * b.N)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(cpu.Seconds()*1000/each, "cpu-ms/mainmode")
				b.ReportMetric(float64(ofGateway)/each, "gateway-B/mainmode")
				b.ReportMetric(float64(ofPeer)/each, "peer-B/mainmode")
			})
		}
	}
}
