package ike_test

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// The vendor IDs as ike-scan 1.9.5 lists them, and RFC 3947, Section 3.1 the last one.
func TestNATVendorIDs(t *testing.T) {
	var ids []payload.VendorID
	for d, want := range map[ike.NATDialect]string{
		ike.NATDraft00:        "4485152d18b6bbcd0be8a8469579ddcc",
		ike.NATDraft01:        "16f6ca16e4a4066d83821a0f0aeaa862",
		ike.NATDraft02:        "cd60464335df21f87cfdb2fc68b6a448",
		ike.NATDraft02Newline: "90cb80913ebb696e086381b5ec427b1f",
		ike.NATDraft03:        "7d9419a65310ca6f2c179d9215529d56",
		ike.NATRFC3947:        "4a131c81070358455c5728f20e95452f",
	} {
		require.Equal(t, want, hex.EncodeToString(d.VendorID()), d)
		id := payload.VendorID{Data: d.VendorID()}
		require.Equal(t, d.String(), id.Name())
		require.Equal(t, []ike.NATDialect{d}, ike.NATDialects([]payload.VendorID{id, id}))
		ids = append(ids, id)
	}
	require.Len(t, ike.NATDialects(append(ids, payload.VendorID{Data: []byte("another")})), 6)
	longer := payload.VendorID{Data: append(ike.NATRFC3947.VendorID(), 0)}
	require.Empty(t, ike.NATDialects([]payload.VendorID{longer}), "no version of it has more than the hash")
}

// Calculated with Python and Go, apart from this code, of the cookies 1122334455667788 and 99aabbccddeeff00.
func TestNATHash(t *testing.T) {
	c := ike.Cookies{Initiator: [8]byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}, Responder: [8]byte{0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00}}
	for at, want := range map[string]string{
		"10.0.0.2:500": "6f1895775349cd9d44ccdaa4cc34ca738d513037",
		"10.0.0.1:500": "75865c918a73ca5ebc5210f80b81105d9272a3c0",
	} {
		require.Equal(t, want, hex.EncodeToString(ike.NATHash(suite.HashNamed("sha1"), c, netip.MustParseAddrPort(at))), at)
	}
}

func TestNATTraversalDefaults(t *testing.T) {
	require.False(t, ike.NATTraversal{}.On())
	require.Equal(t, 20*time.Second, ike.NATTraversal{}.KeepAliveInterval(), "RFC 3948, Section 4")
	require.Equal(t, time.Minute, ike.NATTraversal{KeepAlive: time.Minute}.KeepAliveInterval())
	require.Zero(t, ike.NATTraversal{KeepAlive: -1}.KeepAliveInterval(), "Windows Vista sends none")

	one := netip.MustParseAddr("10.0.0.1")
	require.Equal(t, []netip.Addr{one}, ike.NATTraversal{}.Own(one))
	n := ike.NATTraversal{Addresses: func(netip.Addr) (all []netip.Addr) {
		for range 10 {
			all = append(all, one)
		}
		for a := one; len(all) < 100; a = a.Next() {
			all = append(all, a)
		}
		return all
	}}
	require.Len(t, n.Own(one), 16, "the NAT-D payloads of a message are bounded")
}

// AssumeUDPEncapsulationContextOnSendRule, KB885348: 0 no server behind a NAT, 1 the server, 2 client and server.
func TestResponderBehindNAT(t *testing.T) {
	none, initiator, responder, both := ike.NATPlacement{}, ike.NATPlacement{Initiator: true}, ike.NATPlacement{Responder: true}, ike.NATPlacement{Initiator: true, Responder: true}
	for value, want := range map[ike.ResponderBehindNAT]map[ike.NATPlacement]bool{
		ike.RefuseBehindNAT: {none: true, initiator: true, responder: false, both: false},
		ike.AssumeResponder: {none: true, initiator: true, responder: true, both: false},
		ike.AssumeBoth:      {none: true, initiator: true, responder: true, both: true},
	} {
		for p, allowed := range want {
			require.Equal(t, allowed, value.Allows(p), "%d: %v", value, p)
		}
	}
}
