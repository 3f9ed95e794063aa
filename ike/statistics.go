package ike

// Statistics are the IKE statistics that the Windows IP Security Monitor shows,
// counted since the engine was made. The labels, and what each means, are of TechNet
// cc737334. That page leaves open what exactly moves some of them: the comments say
// what the lab counts, and "ours" marks what no source says.
type Statistics struct {
	ActiveAcquire   int // "Active Acquire": requests for SAs that have not been answered
	ActiveReceive   int // "Active Receive": messages that wait to be processed; always 0, since an engine takes each at once
	AcquireHeapSize int // "Acquire Heap Size": of the active ones, those that have not begun a quick mode (ours)
	ReceiveHeapSize int // "Receive Heap Size": receive buffers in use; always 0, see ActiveReceive

	AcquireFailures int // "Acquire Failures": requests that came to nothing
	ReceiveFailures int // "Receive Failures": errors of receiving from the socket, and sound first messages that are not taken: of peers that no rule concerns, or too many (ours)
	SendFailures    int // "Send Failures": errors of sending on the socket
	TotalAcquire    int // "Total Acquire": requests for SAs, rekeys included

	AuthenticationFailures int // "Authentication Failures": main modes that ended because the peer's proof was wrong, where it was found
	NegotiationFailures    int // "Negotiation Failures": main modes and quick modes that failed, in either role

	InvalidCookies int // "Invalid Cookies Received": messages of an ISAKMP SA that is not there
	InvalidPackets int // "Invalid Packets Received": messages that changed nothing, but for those with invalid cookies and copies that were answered (ours)

	TotalGetSPI         int // "Total Get SPI": inbound SPIs asked of the driver
	GetSPIFailures      int // "Get SPI Failures": those that it did not give
	KeyAdditions        int // "Key Additions": outbound SAs given to the driver
	KeyAdditionFailures int // "Key Addition Failures": those that it refused
	KeyUpdates          int // "Key Updates": inbound SAs given to the driver
	KeyUpdateFailures   int // "Key Update Failures": those that it refused

	ISADBListSize      int // "ISADB List Size": states of main modes: up, under way, and failed or ended but kept to answer copies
	ConnectionListSize int // "Connection List Size": states of quick modes, under way or kept to answer copies (ours)

	MainModes        int // "IKE Main Mode": main modes established
	QuickModes       int // "IKE Quick Mode": quick modes established
	SoftAssociations int // "Soft Associations": soft SAs that began (C090)
}
