package reports

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/result"
)

func TestSAsOfBothHostsAreOneRow(t *testing.T) {
	removed := time.Hour
	sa := func(node, direction string, packets uint64) result.SA {
		return result.SA{Node: node, Direction: direction, Protocol: "ESP", SPI: 0x100, Src: "10.0.0.1", Dst: "10.0.0.2", Cipher: "3des-cbc", Auth: "hmac-sha1-96",
			Seconds: 3600, Kilobytes: 100, Packets: packets, Removed: &removed, Reason: "expired"}
	}
	again := sa("a", "outbound", 1) // the SPI used again, after the first SA is gone
	table := pairSAs([]result.SA{sa("a", "outbound", 10), sa("b", "inbound", 7), again})
	require.Equal(t, 2, table.Total)
	r := table.Rows[0]
	require.Equal(t, "a", r.Sender.Node)
	require.Equal(t, "b", r.Taker.Node)
	require.EqualValues(t, 3, r.Lost)
	require.Equal(t, "3600 s / 100 kB", r.Lifetime)
	require.Equal(t, "1:00:00.000000", r.Sender.Removed)
	require.False(t, table.Rows[1].Taker.Known)
	require.Zero(t, table.Rows[1].Lost, "nothing is known of the other side")
}

func TestSATableIsBounded(t *testing.T) {
	var list []result.SA
	for i := range uint32(1000) {
		list = append(list, result.SA{Direction: "outbound", SPI: i})
	}
	table := pairSAs(list)
	require.Len(t, table.Rows, maxSAs)
	require.Equal(t, 1000-maxSAs, table.Omitted)
}
