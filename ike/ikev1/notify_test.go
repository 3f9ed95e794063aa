package ikev1

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// paired is a pair of sides after main mode and a quick mode of i.
func paired(t *testing.T) (i, r *side) {
	i, r = establish(t)
	i.start()
	r.give(i.take())
	i.give(r.take())
	r.give(i.take())
	i.events, r.events = nil, nil
	return i, r
}

// Protected status notifications that say nothing to act on change nothing, whatever
// their type; what stands beside them in the message is acted on.
func TestNotificationsThatSayNothing(t *testing.T) {
	i, r := paired(t)
	for n, notify := range []payload.Notify{
		{NotifyType: payload.NotifyReplayStatus, Protocol: payload.ProtocolESP, SPI: []byte{1, 2, 3, 4}, Data: []byte{0, 0, 0, 1}}, // RFC 2407, Section 4.6.3.2
		{NotifyType: payload.NotifyMSStatus, Protocol: payload.ProtocolISAKMP, Data: []byte{0, 0, 0x35, 0xe9}},
		{NotifyType: payload.NotifyMSExchangeInfo, Protocol: payload.ProtocolISAKMP, Data: []byte{0, 0, 0, 1}},
		{NotifyType: 40501, Protocol: payload.ProtocolISAKMP},
		{NotifyType: 16385, Protocol: payload.ProtocolISAKMP, SPI: i.sa.spi()},
		{NotifyType: 65535, Protocol: 77, SPI: []byte{1}},
	} {
		notify.DOI = payload.DOIIPsec
		r.give(i.forge(payload.Informational, uint32(100+n), notify))
		require.Empty(t, r.note(), notify.NotifyType)
		require.Empty(t, r.events, notify.NotifyType)
		require.Empty(t, r.out, notify.NotifyType)
		require.True(t, r.sa.Established(), notify.NotifyType)
	}
	r.give(i.forge(payload.Informational, 200, payload.Notify{DOI: payload.DOIIPsec, NotifyType: 65535},
		payload.Delete{DOI: payload.DOIIPsec, Protocol: payload.ProtocolESP, SPISize: 4, SPIs: [][]byte{{0, 0, 1, 1}}}))
	require.Equal(t, []ike.Event{ike.EventDeleteSAs{Remote: endpoint(1).Addr(), Protocol: ipsec.ESP, SPIs: []uint32{0x101}}}, r.events)
}

// Several SPIs in one Delete, and several Deletes in one message, each for a protocol (RFC 2408, Section 3.15).
func TestDeletesOfSeveral(t *testing.T) {
	i, r := paired(t)
	of := func(p payload.ProtocolID, size uint8, spis ...[]byte) payload.Payload {
		return payload.Delete{DOI: payload.DOIIPsec, Protocol: p, SPISize: size, SPIs: spis}
	}
	r.give(i.forge(payload.Informational, 300,
		of(payload.ProtocolESP, 4, []byte{0, 0, 0, 1}, []byte{0, 0, 0, 2}, []byte{0, 0, 0, 3}),
		of(payload.ProtocolIPComp, 2, []byte{0, 9}),
		of(payload.ProtocolESP, 2, []byte{0, 9}),
		of(payload.ProtocolISAKMP, 16, make([]byte, 16)),
		of(payload.ProtocolAH, 4, []byte{0, 0, 0, 4})))
	require.Equal(t, []ike.Event{
		ike.EventDeleteSAs{Remote: endpoint(1).Addr(), Protocol: ipsec.ESP, SPIs: []uint32{1, 2, 3}},
		ike.EventDeleteSAs{Remote: endpoint(1).Addr(), Protocol: ipsec.AH, SPIs: []uint32{4}},
	}, r.events)
	require.True(t, r.sa.Established(), "another main mode is not this one")

	i.sa.SendDelete(now, ipsec.ESP, []uint32{7, 8, 9})
	i.drain()
	r.events = nil
	r.give(i.take())
	require.Empty(t, i.out)
	require.Equal(t, []ike.Event{ike.EventDeleteSAs{Remote: endpoint(1).Addr(), Protocol: ipsec.ESP, SPIs: []uint32{7, 8, 9}}}, r.events)
}
