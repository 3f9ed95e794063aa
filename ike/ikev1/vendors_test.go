package ikev1

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// The bytes are those of MS-IKEE, product note 6, and RFC 3706, Section 5.1.
var (
	microsoft4  = unhexed("1e2b516905991c7d7c96fcbfb587e46100000004")
	gssapi      = unhexed("621b04bb09882ac1e15935fefa24aeee")
	deadPeer    = unhexed("afcad71368a1f1c96b8696fc77570100")
	fragmenting = unhexed("4048b7d56ebce88525e7de7f00d6c2d3")
	xauth       = unhexed("09002689dfd6b712")
)

// Both sides know from messages 1 and 2 what the other has sent.
func TestVendorsAreRemembered(t *testing.T) {
	i, r := newSide(t, 1), newSide(t, 2)
	i.config.VendorIDs = [][]byte{microsoft4, gssapi, fragmenting}
	r.config.VendorIDs = [][]byte{deadPeer, xauth}
	beginWith(i, r)
	i.give(r.take())

	require.True(t, r.sa.peerHas(payload.VendorMicrosoft) && r.sa.peerHas(payload.VendorGSSAPI) && r.sa.peerHas(payload.VendorFragmentation))
	require.False(t, r.sa.peerHas(payload.VendorDPD) || r.sa.peerHas(payload.VendorXAUTH), "what it sent itself is not the peer's")
	require.True(t, i.sa.peerHas(payload.VendorDPD) && i.sa.peerHas(payload.VendorXAUTH))
	require.False(t, i.sa.peerHas(payload.VendorMicrosoft))

	v, ok := r.sa.microsoftVersion()
	require.True(t, ok)
	require.EqualValues(t, 4, v)
	_, ok = i.sa.microsoftVersion()
	require.False(t, ok)
}

// A message that is dropped teaches nothing.
func TestVendorsOfADroppedMessage(t *testing.T) {
	i, r := newSide(t, 1), newSide(t, 2)
	r.config.VendorIDs = [][]byte{microsoft4}
	beginWith(i, r)
	b := r.take()
	b[payload.HeaderLen+4+3] = 9 // another DOI than IPsec's
	i.give(b)
	require.Contains(t, i.note(), "ignored")
	require.False(t, i.sa.peerHas(payload.VendorMicrosoft))
}

func TestVendorsAreBounded(t *testing.T) {
	i, r := newSide(t, 1), newSide(t, 2)
	long := append(append([]byte(nil), microsoft4...), make([]byte, maxVendorLength)...)
	i.config.VendorIDs = [][]byte{long, deadPeer, deadPeer}
	for n := range uint32(maxVendors) {
		i.config.VendorIDs = append(i.config.VendorIDs, binary.BigEndian.AppendUint32(nil, n))
	}
	beginWith(i, r)
	require.Len(t, r.sa.vendors, maxVendors)
	require.True(t, r.sa.peerHas(payload.VendorDPD))
	require.False(t, r.sa.peerHas(payload.VendorMicrosoft))
}
