package hosts_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/hosts"
	"github.com/ipseclab/ipseclab/internal/trace"
	"github.com/ipseclab/ipseclab/sim"
)

// logged are a host's log entries of an event.
func (b *bench) logged(node string, id int) (all []trace.EventLog) {
	for _, e := range b.log.Events() {
		if v, ok := e.Body.(trace.EventLog); ok && e.Node == node && v.ID == id {
			all = append(all, v)
		}
	}
	return all
}

// valueOf is a field of an entry, by the names of its groups.
func valueOf(fields []trace.Field, path ...string) string {
	for _, f := range fields {
		if f.Name == path[0] {
			if len(path) == 1 {
				return f.Value
			}
			return valueOf(f.Fields, path[1:]...)
		}
	}
	return "absent"
}

func TestSecurityLogNamesTheSAs(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	b.on(b.alice, func(p *sim.Proc) {
		require.NoError(t, b.alice.Ping(p, hosts.Ping{To: bobAddr, Count: 1, Size: 32, Timeout: time.Second}).Err)
		sas := b.alice.SAs()
		require.Len(t, sas, 2)
		spis := map[string]string{}
		for _, sa := range sas {
			spis[sa.Direction.String()] = fmt.Sprintf("ESP 0x%08x", sa.SPI)
		}
		established := b.logged("alice", 541)
		require.Len(t, established, 2)
		quick := established[1]
		require.Equal(t, spis["inbound"], valueOf(quick.Fields, "Parameters", "InboundSpi"))
		require.Equal(t, spis["outbound"], valueOf(quick.Fields, "Parameters", "OutboundSpi"))
		require.Equal(t, "None", valueOf(quick.Fields, "Parameters", "AH Algorithm"))
		require.Equal(t, aliceAddr.String(), valueOf(quick.Fields, "Filter", "Source IP Address"))
		require.Equal(t, "255.255.255.255", valueOf(quick.Fields, "Filter", "Destination IP Address Mask"))
		require.Equal(t, bobAddr.String(), valueOf(quick.Fields, "Peer Identity", "Preshared key ID"))

		require.NoError(t, b.alice.AssignPolicy(nil))
		ended := b.logged("alice", 542)
		require.Len(t, ended, 1)
		require.Equal(t, spis["inbound"], valueOf(ended[0].Fields, "Inbound SPI"))
		require.Equal(t, spis["outbound"], valueOf(ended[0].Fields, "Outbound SPI"))
		require.Len(t, b.logged("alice", 543), 1)
	})
}

// However many addresses an attacker makes up, an interval collects a bounded number
// of entries, and no packet is lost to the count.
func TestDriverLogIsBounded(t *testing.T) {
	b := newBench(t, require3DES(bobAddr, "secret"), require3DES(aliceAddr, "secret"), hosts.Faults{})
	const packets = 1000
	var total uint64
	b.on(b.alice, func(p *sim.Proc) {
		for i := range packets {
			b.bob.Discard(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}))
		}
		p.Sleep(hosts.DefaultDriverLogInterval - time.Second)
		require.Empty(t, b.logged("bob", 4283), "the interval is not over")
		p.Sleep(2 * time.Second)
		entries := b.logged("bob", 4283)
		require.Len(t, entries, 257)
		for _, e := range entries {
			total += e.Count
		}
		require.Equal(t, "Received 744 packet(s) with a bad Security Parameters Index from further addresses", entries[256].Message)
		b.bob.Discard(bobAddr)
		p.Sleep(hosts.DefaultDriverLogInterval + time.Second)
		require.Len(t, b.logged("bob", 4283), 258, "another interval began")
	})
	require.EqualValues(t, packets, total)
}
