package spec

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a cell of a file does not have is called none: the box, a forward, an address of one node.
func TestNoNAT(t *testing.T) {
	all, err := ParseAll("f.yaml", []byte(`title: boxes
parameters:
  way:
    - { label: router, box: none, to: none, one: none, address: 192.168.1.2 }
    - { label: shared, box: home-router, to: none, one: none, address: 203.0.113.1 }
    - { label: published, box: home-router, to: server, one: none, address: 203.0.113.1 }
    - { label: own, box: home-router, to: none, one: server, address: 203.0.113.9 }
network: { segments: { inside: {}, outside: {} } }
nodes:
  server: { interfaces: [{ segment: inside, address: 192.168.1.2/24 }], gateway: 192.168.1.1, serves: [{ udp: 7 }] }
  box:
    type: router
    interfaces: [{ segment: inside, address: 192.168.1.1/24 }, { segment: outside, address: 203.0.113.1/24 }]
    nat:
      box: "${way.box}"
      outside: outside
      forwards: [{ protocol: udp, port: 7, to: "${way.to}" }, { protocol: udp, port: 7, to: none }]
      one-to-one: [{ inside: "${way.one}", outside: 203.0.113.9 }]
  client: { interfaces: [{ segment: outside, address: 203.0.113.80/24 }], gateway: 203.0.113.1 }
steps:
  - udp: { from: client, to: "${way.address}", port: 7 }
`))
	require.NoError(t, err)
	for i, want := range []struct {
		router, forward, one bool
	}{{router: true}, {}, {forward: true}, {one: true}} {
		s := all[i]
		require.Equal(t, want.router, s.Nodes["box"].NAT == nil, s.Name)
		require.Equal(t, want.router, s.Realms().Realm("inside") == s.Realms().Realm("outside"))
		_, _, forward := s.Published("box", netip.MustParseAddr("203.0.113.1"), 17, 7)
		require.Equal(t, want.forward, forward, s.Name)
		_, _, one := s.Published("box", netip.MustParseAddr("203.0.113.9"), 6, 80)
		require.Equal(t, want.one, one, s.Name)
		if want.router {
			continue
		}
		c, err := s.NATConfig("box")
		require.NoError(t, err)
		require.Equal(t, want.forward, len(c.Forwards) == 1)
		require.Equal(t, want.one, len(c.Static) == 1)
	}
}
