package nat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// consistent demands that what the table has in several places agrees.
func consistent(t require.TestingT, n *Table) {
	if h, ok := t.(testing.TB); ok {
		h.Helper()
	}
	ownerOf, holders, insiders, kept, sessions := 0, 0, 0, 0, 0
	used := map[int]map[[2]uint16]int{}
	perHost := map[uint32][2]int{}
	mappings := 0
	for i := n.mappingAge.head; i != 0; i = n.mappings.at(i).age.next {
		m := n.mappings.at(i)
		mappings++
		if m.flags&outOwner != 0 {
			ownerOf++
			k := m.outside()
			require.Equal(t, i, n.mappingOut.find(k.hash(&n.seed), k))
		}
		if m.flags&insider != 0 {
			insiders++
			k := m.inside()
			require.Equal(t, i, n.mappingInside.find(k.hash(&n.seed), k))
		}
		if m.class != noTime {
			kept++
		}
		require.True(t, m.class != noTime || m.sessions.n > 0, "a mapping that nothing ends")
		if m.flags&pooled != 0 {
			at, ok := n.poolOf[m.outAddr]
			require.True(t, ok)
			require.True(t, n.pools[at].ports[portsOf(m.proto)].taken(m.outPort))
			if used[at] == nil {
				used[at] = map[[2]uint16]int{}
			}
			used[at][[2]uint16{uint16(portsOf(m.proto)), m.outPort}]++
		}
		of := perHost[m.host]
		of[0]++
		count := 0
		for j := m.sessions.head; j != 0; j = n.sessions.at(j).ofMapping.next {
			s := n.sessions.at(j)
			count++
			require.Equal(t, i, s.mapping)
			require.Equal(t, [2]uint32{m.inAddr, m.outAddr}, [2]uint32{s.inAddr, s.outAddr})
			k := s.inside()
			require.Equal(t, j, n.sessionInside.find(k.hash(&n.seed), k))
			if s.flags&outHolder != 0 {
				holders++
				k := s.outside()
				require.Equal(t, j, n.sessionOut.find(k.hash(&n.seed), k))
			}
		}
		require.Equal(t, int(m.sessions.n), count)
		of[1] += count
		sessions += count
		perHost[m.host] = of
	}
	require.Equal(t, mappings, n.mappings.live())
	require.Equal(t, sessions, n.sessions.live())
	require.Equal(t, sessions, n.sessionInside.n)
	require.Equal(t, holders, n.sessionOut.n)
	require.Equal(t, ownerOf, n.mappingOut.n)
	require.Equal(t, insiders, n.mappingInside.n)
	hosts := n.hosts.live()
	require.Equal(t, hosts, n.hostIndex.n)
	others := 0
	for host, of := range perHost {
		require.Equal(t, of[0], int(n.hosts.at(host).mappings.n))
		require.Equal(t, of[1], int(n.hosts.at(host).sessions))
	}
	for i := uint32(1); i < n.hosts.n; i++ {
		others += int(n.hosts.at(i).others)
	}
	require.Equal(t, others, n.spis.live()+n.cookies.live())
	fixed := 0
	for i := range n.fixed {
		fixed += n.fixed[i].n
	}
	for at := range n.pools {
		taken := 0
		for i := range n.pools[at].ports {
			taken += n.pools[at].ports[i].n
		}
		distinct := 0
		for range used[at] {
			distinct++
		}
		require.GreaterOrEqual(t, taken, distinct)
		require.LessOrEqual(t, taken, distinct+fixed, "ports that nobody gives back")
	}
	timed := 0
	for c := range n.mappingTimes {
		last := time.Duration(0)
		for i := n.mappingTimes[c].head; i != 0; i = n.mappings.at(i).time.next {
			timed++
			require.LessOrEqual(t, last, n.mappings.at(i).expires, "expires in order")
			last = n.mappings.at(i).expires
			require.LessOrEqual(t, n.soonest, last)
		}
	}
	require.Equal(t, kept, timed)
	for c := range n.sessionTimes {
		last := time.Duration(0)
		for i := n.sessionTimes[c].head; i != 0; i = n.sessions.at(i).time.next {
			require.LessOrEqual(t, last, n.sessions.at(i).expires, "expires in order")
			last = n.sessions.at(i).expires
			require.LessOrEqual(t, n.soonest, last)
		}
	}
	held, datagrams := 0, 0
	for i := n.datagramTimes.head; i != 0; i = n.datagrams.at(i).time.next {
		datagrams++
		held += len(n.datagrams.at(i).held)
	}
	require.Equal(t, held, n.heldFragments)
	require.Equal(t, datagrams, n.datagrams.live())
	require.Equal(t, datagrams, n.datagramIndex.n)
	require.Equal(t, n.spis.live(), n.spiOut.n)
	require.Equal(t, n.spis.live(), int(n.spiTimes.n+n.spiWaits.n))
	require.Equal(t, int(n.spiTimes.n), n.spiIn.n)
	require.Equal(t, n.peers.live(), n.peerIndex.n)
	require.Equal(t, n.cookies.live(), n.cookieIndex.n)
	require.Equal(t, n.groups.live(), n.groupIndex.n)
	if mappings == 0 {
		require.Zero(t, n.groups.live())
		require.Zero(t, n.windows.live())
		require.Zero(t, n.aliases[0].n+n.aliases[1].n)
	}

	// And what it may have at most.
	l := &n.cfg.Limits
	require.LessOrEqual(t, mappings, l.Mappings)
	require.LessOrEqual(t, sessions, l.Sessions)
	require.LessOrEqual(t, n.spis.live(), l.Mappings)
	require.LessOrEqual(t, n.cookies.live(), l.Mappings)
	require.LessOrEqual(t, len(n.held), l.Held)
	require.LessOrEqual(t, n.heldFragments, n.cfg.Fragments.HoldTotal)
	require.LessOrEqual(t, datagrams, n.cfg.Fragments.Datagrams)
	require.LessOrEqual(t, n.windows.live(), sessions)
	for _, of := range perHost {
		require.LessOrEqual(t, of[0], l.MappingsPerHost)
		require.LessOrEqual(t, of[1], l.SessionsPerHost)
	}
}
