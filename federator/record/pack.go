package record

import (
	"math"

	"canopy/plugins"
)

// Packer turns records into bytes and back within one process, for a cache that
// keeps most of them so. Unlike the form that front ends share, it has the
// silences, which are this front end's own.
type Packer struct {
	// Sets are those that the coverages of unpacked records come from.
	Sets *Coverages
}

// Pack implements cache.Packer.
func (Packer) Pack(b []byte, r *Record) ([]byte, bool) {
	e := encoder{b: b}
	e.uint(uint64(len(r.Silences)))
	for _, s := range r.Silences {
		e.uint(uint64(s.Endpoint))
		e.uint(uint64(s.Kind))
		e.int(s.Until)
		e.uint(uint64(s.Recovery))
	}
	return AppendRecord(e.b, r, r.Confirmed()), true
}

// Unpack implements cache.Packer.
func (p Packer) Unpack(b []byte) (*Record, bool) {
	d := decoder{b: b}
	silences := make([]Silence, d.uint(maxEndpoints))
	for i := range silences {
		silences[i] = Silence{
			Endpoint: ID(d.uint(math.MaxUint64)), Kind: plugins.Kind(d.uint(math.MaxUint8)),
			Until: d.int(), Recovery: uint32(d.uint(math.MaxUint32)),
		}
	}
	r, _, err := ParseRecord(d.b, p.Sets, math.MaxInt64)
	if err != nil {
		return nil, false
	}
	if len(silences) > 0 {
		r.Silences = silences
	}
	return r, true
}
