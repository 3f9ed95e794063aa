package payload

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// NotifyType is a notify message type, RFC 2408, Section 3.14.1; RFC 2407, Section 4.6.3.
type NotifyType uint16

// Error types, RFC 2408, Section 3.14.1.
const (
	NotifyInvalidPayloadType      NotifyType = 1
	NotifyDOINotSupported         NotifyType = 2
	NotifySituationNotSupported   NotifyType = 3
	NotifyInvalidCookie           NotifyType = 4
	NotifyInvalidMajorVersion     NotifyType = 5
	NotifyInvalidMinorVersion     NotifyType = 6
	NotifyInvalidExchangeType     NotifyType = 7
	NotifyInvalidFlags            NotifyType = 8
	NotifyInvalidMessageID        NotifyType = 9
	NotifyInvalidProtocolID       NotifyType = 10
	NotifyInvalidSPI              NotifyType = 11
	NotifyInvalidTransformID      NotifyType = 12
	NotifyAttributesNotSupported  NotifyType = 13
	NotifyNoProposalChosen        NotifyType = 14
	NotifyBadProposalSyntax       NotifyType = 15
	NotifyPayloadMalformed        NotifyType = 16
	NotifyInvalidKeyInformation   NotifyType = 17
	NotifyInvalidIDInformation    NotifyType = 18
	NotifyInvalidCertEncoding     NotifyType = 19
	NotifyInvalidCertificate      NotifyType = 20
	NotifyCertTypeUnsupported     NotifyType = 21
	NotifyInvalidCertAuthority    NotifyType = 22
	NotifyInvalidHashInformation  NotifyType = 23
	NotifyAuthenticationFailed    NotifyType = 24
	NotifyInvalidSignature        NotifyType = 25
	NotifyAddressNotification     NotifyType = 26
	NotifySALifetime              NotifyType = 27
	NotifyCertificateUnavailable  NotifyType = 28
	NotifyUnsupportedExchangeType NotifyType = 29
	NotifyUnequalPayloadLengths   NotifyType = 30
)

// Status types.
const (
	NotifyConnected         NotifyType = 16384 // RFC 2408, Section 3.14.1
	NotifyResponderLifetime NotifyType = 24576 // RFC 2407, Section 4.6.3.1
	NotifyReplayStatus      NotifyType = 24577 // RFC 2407, Section 4.6.3.2
	NotifyInitialContact    NotifyType = 24578 // RFC 2407, Section 4.6.3.3
	NotifyRUThere           NotifyType = 36136 // RFC 3706, Section 5.3
	NotifyRUThereAck        NotifyType = 36137 // RFC 3706, Section 5.3
	NotifyLoadBalance       NotifyType = 40501 // Cisco Unity, as Wireshark names it; so the next two
	NotifyUnityUnknown      NotifyType = 40502
	NotifyGroupHash         NotifyType = 40503
	NotifyMSStatus          NotifyType = 40003 // MS-IKEE, 2.2.6: data is a Windows error code
	NotifyMSDoSCookie       NotifyType = 40004 // MS-IKEE, 2.2.6
	NotifyMSExchangeInfo    NotifyType = 40005 // MS-IKEE, 2.2.6
)

var notifyNames = map[NotifyType]string{
	NotifyInvalidPayloadType: "INVALID-PAYLOAD-TYPE", NotifyDOINotSupported: "DOI-NOT-SUPPORTED",
	NotifySituationNotSupported: "SITUATION-NOT-SUPPORTED", NotifyInvalidCookie: "INVALID-COOKIE",
	NotifyInvalidMajorVersion: "INVALID-MAJOR-VERSION", NotifyInvalidMinorVersion: "INVALID-MINOR-VERSION",
	NotifyInvalidExchangeType: "INVALID-EXCHANGE-TYPE", NotifyInvalidFlags: "INVALID-FLAGS",
	NotifyInvalidMessageID: "INVALID-MESSAGE-ID", NotifyInvalidProtocolID: "INVALID-PROTOCOL-ID",
	NotifyInvalidSPI: "INVALID-SPI", NotifyInvalidTransformID: "INVALID-TRANSFORM-ID",
	NotifyAttributesNotSupported: "ATTRIBUTES-NOT-SUPPORTED", NotifyNoProposalChosen: "NO-PROPOSAL-CHOSEN",
	NotifyBadProposalSyntax: "BAD-PROPOSAL-SYNTAX", NotifyPayloadMalformed: "PAYLOAD-MALFORMED",
	NotifyInvalidKeyInformation: "INVALID-KEY-INFORMATION", NotifyInvalidIDInformation: "INVALID-ID-INFORMATION",
	NotifyInvalidCertEncoding: "INVALID-CERT-ENCODING", NotifyInvalidCertificate: "INVALID-CERTIFICATE",
	NotifyCertTypeUnsupported: "CERT-TYPE-UNSUPPORTED", NotifyInvalidCertAuthority: "INVALID-CERT-AUTHORITY",
	NotifyInvalidHashInformation: "INVALID-HASH-INFORMATION", NotifyAuthenticationFailed: "AUTHENTICATION-FAILED",
	NotifyInvalidSignature: "INVALID-SIGNATURE", NotifyAddressNotification: "ADDRESS-NOTIFICATION",
	NotifySALifetime: "NOTIFY-SA-LIFETIME", NotifyCertificateUnavailable: "CERTIFICATE-UNAVAILABLE",
	NotifyUnsupportedExchangeType: "UNSUPPORTED-EXCHANGE-TYPE", NotifyUnequalPayloadLengths: "UNEQUAL-PAYLOAD-LENGTHS",
	NotifyConnected: "CONNECTED", NotifyResponderLifetime: "RESPONDER-LIFETIME", NotifyReplayStatus: "REPLAY-STATUS",
	NotifyInitialContact: "INITIAL-CONTACT", NotifyRUThere: "R-U-THERE", NotifyRUThereAck: "R-U-THERE-ACK",
	NotifyLoadBalance: "UNITY-LOAD-BALANCE", NotifyUnityUnknown: "UNITY-UNKNOWN", NotifyGroupHash: "UNITY-GROUP-HASH",
	NotifyMSStatus: "NOTIFY_STATUS", NotifyMSDoSCookie: "NOTIFY_DOS_COOKIE", NotifyMSExchangeInfo: "EXCHANGE_INFO",
}

// String is the name in the registry.
func (n NotifyType) String() string { return name(notifyNames, n) }

// Error reports whether the type is in the error range, RFC 2408, Section 3.14.1.
func (n NotifyType) Error() bool { return n > 0 && n < 16384 }

// Notify is a Notification payload, RFC 2408, Section 3.14.
type Notify struct {
	DOI        uint32
	Protocol   ProtocolID
	NotifyType NotifyType
	SPI        []byte
	Data       []byte
}

// Type is TypeNotify.
func (Notify) Type() Type { return TypeNotify }

func (n Notify) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, n.DOI)
	dst = append(dst, byte(n.Protocol), byte(len(n.SPI)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(n.NotifyType))
	return append(append(dst, n.SPI...), n.Data...)
}

// Number is notification data of four bytes: the sequence number of R-U-THERE and
// its answer (RFC 3706, Section 5.3), the setting of REPLAY-STATUS (RFC 2407,
// Section 4.6.3.2), the flags of EXCHANGE_INFO and the Windows error code of
// NOTIFY_STATUS (MS-IKEE, 2.2.6, which does not say in which order its bytes are;
// that of the network is a choice of the lab). false: the data has another length.
func (n Notify) Number() (uint32, bool) {
	if len(n.Data) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(n.Data), true
}

// Flags of EXCHANGE_INFO, MS-IKEE, 2.2.6.
const (
	ExchangeInfoBoundary            uint32 = 1 // IKE_EXCHANGE_INFO_ND_BOUNDARY
	ExchangeInfoGuaranteeEncryption uint32 = 2 // IKE_EXCHANGE_INFO_GUARANTEE_ENCRYPTION
)

func parseNotify(b []byte) (Notify, error) {
	s := cryptobyte.String(b)
	var n Notify
	var spiSize uint8
	if !s.ReadUint32(&n.DOI) || !s.ReadUint8((*uint8)(&n.Protocol)) || !s.ReadUint8(&spiSize) ||
		!s.ReadUint16((*uint16)(&n.NotifyType)) || !s.ReadBytes(&n.SPI, int(spiSize)) {
		return Notify{}, errorf(NotifyPayloadMalformed, "notification cut short")
	}
	n.Data = s
	return n, nil
}
