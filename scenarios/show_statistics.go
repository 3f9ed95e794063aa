package scenarios

import "github.com/ipseclab/ipseclab/hosts"

// statisticsTable has the labels of TechNet cc737334, in the order there.
func statisticsTable(h *hosts.Host) *StatisticsTable {
	i, d := h.IKEStatistics(), h.Counters()
	t := &StatisticsTable{}
	for _, s := range []struct {
		label string
		value int
	}{
		{"Active Acquire", i.ActiveAcquire},
		{"Active Receive", i.ActiveReceive},
		{"Acquire Failures", i.AcquireFailures},
		{"Receive Failures", i.ReceiveFailures},
		{"Send Failures", i.SendFailures},
		{"Acquire Heap Size", i.AcquireHeapSize},
		{"Receive Heap Size", i.ReceiveHeapSize},
		{"Authentication Failures", i.AuthenticationFailures},
		{"Negotiation Failures", i.NegotiationFailures},
		{"Invalid Cookies Received", i.InvalidCookies},
		{"Total Acquire", i.TotalAcquire},
		{"Total Get SPI", i.TotalGetSPI},
		{"Key Additions", i.KeyAdditions},
		{"Key Updates", i.KeyUpdates},
		{"Get SPI Failures", i.GetSPIFailures},
		{"Key Addition Failures", i.KeyAdditionFailures},
		{"Key Update Failures", i.KeyUpdateFailures},
		{"ISADB List Size", i.ISADBListSize},
		{"Connection List Size", i.ConnectionListSize},
		{"IKE Main Mode", i.MainModes},
		{"IKE Quick Mode", i.QuickModes},
		{"Soft Associations", i.SoftAssociations},
		{"Invalid Packets Received", i.InvalidPackets},
	} {
		t.IKE = append(t.IKE, Statistic{s.label, uint64(s.value)})
	}
	t.Driver = []Statistic{
		{"Active Security Associations", uint64(d.ActiveSAs)},
		{"Offloaded Security Associations", uint64(d.OffloadedSAs)},
		{"Pending Key Operations", uint64(d.PendingKeyOperations)},
		{"Key Additions", d.KeyAdditions},
		{"Key Deletions", d.KeyDeletions},
		{"Rekeys", d.Rekeys},
		{"Active Tunnels", uint64(d.ActiveTunnels)},
		{"Bad SPI Packets", d.BadSPI},
		{"Packets Not Decrypted", d.NotDecrypted},
		{"Packets Not Authenticated", d.NotAuthenticated},
		{"Packets With Replay Detection", d.ReplayDetection},
		{"Confidential Bytes Sent", d.ConfidentialBytesSent},
		{"Confidential Bytes Received", d.ConfidentialBytesReceived},
		{"Authenticated Bytes Sent", d.AuthenticatedBytesSent},
		{"Authenticated Bytes Received", d.AuthenticatedBytesReceived},
		{"Transport Bytes Sent", d.TransportBytesSent},
		{"Transport Bytes Received", d.TransportBytesReceived},
		{"Bytes Sent In Tunnels", d.TunnelBytesSent},
		{"Bytes Received In Tunnels", d.TunnelBytesReceived},
		{"Offloaded Bytes Sent", d.OffloadedBytesSent},
		{"Offloaded Bytes Received", d.OffloadedBytesReceived},
	}
	t.Lab = []Statistic{
		{"Packets Refused As Replays", d.Replayed},
		{"Packets Under A Wrong SA", d.WrongSA},
		{"Packets Dropped In Clear Text", d.ClearTextDrops},
		{"Packets Accepted In Clear Text", d.AcceptedClear},
		{"Packets Dropped By Policy", d.PolicyDrops},
		{"Packets Refused At Startup", d.BootDrops},
		{"Packets That Waited In Vain", d.HeldDiscarded},
	}
	return t
}
