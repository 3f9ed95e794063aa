package ike

import (
	"fmt"
	"math"
	"time"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// basics reads number attributes, at most one of each class. One that the RFCs
// define and the caller does not name makes the transform unacceptable: it would
// be part of what is agreed on (RFC 2407, Section 4.5.3). In phase 2, one that
// they do not define is passed over, where the RFC ends the negotiation: Windows
// "MUST NOT terminate the SA setup when it encounters an unknown attribute" (MS-IKEE, 3.1.5).
func basics(p payload.ProtocolID, as []payload.Attribute, classes ...uint16) (map[uint16]uint16, error) {
	values := make(map[uint16]uint16, len(classes))
	for _, a := range as {
		if isLife(p, a.Type) || p != payload.ProtocolISAKMP && !payload.AttributeKnown(p, a.Type) {
			continue
		}
		name, text := payload.AttributeName(p, a)
		wanted := false
		for _, c := range classes {
			wanted = wanted || c == a.Type
		}
		v, ok := a.Uint()
		if _, again := values[a.Type]; !wanted || again || !ok || v > math.MaxUint16 {
			return nil, fmt.Errorf("%s %s", name, text)
		}
		values[a.Type] = uint16(v)
	}
	return values, nil
}

// unsupported is the phrase for a value that policy could not have named.
func unsupported(p payload.ProtocolID, class uint16, values map[uint16]uint16) error {
	name, text := payload.AttributeName(p, payload.BasicAttribute(class, values[class]))
	return fmt.Errorf("%s %s", name, text)
}

func isLife(p payload.ProtocolID, class uint16) bool {
	t, d := lifeClasses(p)
	return class == t || class == d
}

func lifeClasses(p payload.ProtocolID) (lifeType, duration uint16) {
	if p == payload.ProtocolISAKMP {
		return payload.AttrLifeType, payload.AttrLifeDuration
	}
	return payload.AttrSALifeType, payload.AttrSALifeDuration
}

// readLife reads pairs of life type and duration: a duration must follow its
// type (RFC 2407, Section 4.5). Durations come as TV or TLV. A bound that is
// absent is 0; one too large to represent is as good as none and is cut.
func readLife(p payload.ProtocolID, as []payload.Attribute) (ipsec.Lifetime, error) {
	typeClass, durationClass := lifeClasses(p)
	var life ipsec.Lifetime
	var unit uint64
	for _, a := range as {
		name, text := payload.AttributeName(p, a)
		v, ok := a.Uint()
		switch {
		case a.Type != typeClass && a.Type != durationClass:
		case a.Type == typeClass && ok && unit == 0 && (v == uint64(payload.LifeSeconds) || v == uint64(payload.LifeKilobytes)):
			unit = v
		case a.Type == durationClass && ok && v > 0 && unit == uint64(payload.LifeSeconds) && life.Duration == 0:
			life.Duration = time.Duration(min(v, math.MaxUint32)) * time.Second
			unit = 0
		case a.Type == durationClass && ok && v > 0 && unit == uint64(payload.LifeKilobytes) && life.Kilobytes == 0:
			life.Kilobytes = min(v, math.MaxUint32)
			unit = 0
		default:
			return life, fmt.Errorf("%s %s out of place", name, text)
		}
	}
	if unit != 0 {
		return life, fmt.Errorf("life type %d without a duration", unit)
	}
	return life, nil
}

// lifeAttributes encodes the bounds that are set.
func lifeAttributes(p payload.ProtocolID, l ipsec.Lifetime) []payload.Attribute {
	typeClass, durationClass := lifeClasses(p)
	var as []payload.Attribute
	if l.Duration > 0 {
		as = append(as, payload.BasicAttribute(typeClass, payload.LifeSeconds), payload.LongAttribute(durationClass, seconds(l.Duration)))
	}
	if l.Kilobytes > 0 {
		as = append(as, payload.BasicAttribute(typeClass, payload.LifeKilobytes),
			payload.LongAttribute(durationClass, uint32(min(l.Kilobytes, math.MaxUint32))))
	}
	return as
}

// seconds rounds up, so that a bound never becomes none.
func seconds(d time.Duration) uint32 {
	return uint32(min((d+time.Second-1)/time.Second, math.MaxUint32))
}

// ResponderLifetime is the notification by which a responder shortens the
// lifetime of the SA named by the SPI, RFC 2407, Section 4.6.3.1.
func ResponderLifetime(p payload.ProtocolID, spi []byte, l ipsec.Lifetime) payload.Notify {
	return payload.Notify{
		DOI: payload.DOIIPsec, Protocol: p, NotifyType: payload.NotifyResponderLifetime, SPI: spi,
		Data: payload.AppendAttributes(nil, lifeAttributes(p, l)),
	}
}

// ResponderLifetime is that notification in the form that the configuration gives durations.
func (c *Config) ResponderLifetime(p payload.ProtocolID, spi []byte, l ipsec.Lifetime) payload.Notify {
	n := ResponderLifetime(p, spi, l)
	if c.ShortDurations {
		as := lifeAttributes(p, l)
		shorten(p, as)
		n.Data = payload.AppendAttributes(nil, as)
	}
	return n
}

// Form puts the durations of an offer into the form that the configuration gives them.
func (c *Config) Form(offer *payload.SA) {
	if !c.ShortDurations {
		return
	}
	for _, p := range offer.Proposals {
		for _, t := range p.Transforms {
			shorten(p.Protocol, t.Attributes)
		}
	}
}

// shorten makes basic attributes of the durations that fit into two bytes.
func shorten(p payload.ProtocolID, as []payload.Attribute) {
	_, duration := lifeClasses(p)
	for i, a := range as {
		if v, ok := a.Uint(); ok && a.Type == duration && v <= math.MaxUint16 {
			as[i] = payload.BasicAttribute(a.Type, uint16(v))
		}
	}
}

// ReadResponderLifetime reads such a notification.
func ReadResponderLifetime(n payload.Notify) (ipsec.Lifetime, error) {
	as, err := payload.ParseAttributes(n.Data)
	if err != nil {
		return ipsec.Lifetime{}, err
	}
	life, err := readLife(n.Protocol, as)
	if err != nil {
		return life, Errorf(CodeAttributes, payload.NotifyPayloadMalformed, "RESPONDER-LIFETIME with %v", err)
	}
	return life, nil
}

// Shorter is the tighter bound of each kind; a zero field is no bound.
func Shorter(a, b ipsec.Lifetime) ipsec.Lifetime {
	if a.Duration == 0 || b.Duration != 0 && b.Duration < a.Duration {
		a.Duration = b.Duration
	}
	if a.Kilobytes == 0 || b.Kilobytes != 0 && b.Kilobytes < a.Kilobytes {
		a.Kilobytes = b.Kilobytes
	}
	return a
}
