package sim

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Questions for an address go to who holds it now; for one that nobody holds any
// more they go to all.
func TestSetAddrs(t *testing.T) {
	w, err := New(Config{Name: "holders", Seed: 1})
	require.NoError(t, err)
	defer w.Close()
	s, err := w.NewSegment("lan", SegmentConfig{})
	require.NoError(t, err)
	a := netip.MustParseAddr("10.0.0.1")
	ports := map[string]*Port{}
	for _, name := range []string{"asker", "old", "new"} {
		c := PortConfig{Node: name, Receive: func([]byte) {}}
		if name == "old" {
			c.Addrs = []netip.Addr{a, a}
		}
		ports[name], err = s.Attach(c)
		require.NoError(t, err)
	}
	question := make([]byte, etherHeader+arpLength)
	copy(question, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1})
	copy(question[etherHeader+24:], a.AsSlice())
	asked := func() (names []string) {
		for _, p := range s.forwardLocked(ports["asker"], question, 0, nil) {
			names = append(names, p.Node())
		}
		return names
	}
	require.Equal(t, []string{"old"}, asked())
	require.NoError(t, ports["old"].SetAddrs(nil))
	require.Equal(t, []string{"old", "new"}, asked())
	require.NoError(t, ports["new"].SetAddrs([]netip.Addr{a}))
	require.Equal(t, []string{"new"}, asked())
	require.ErrorContains(t, ports["new"].SetAddrs([]netip.Addr{{}}), "is not the address of a node")
	require.Equal(t, []string{"new"}, asked(), "a refused change changes nothing")
}
