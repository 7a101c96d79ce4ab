package redis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// A frame is a value as Redis has it:
//
//	offset  bytes
//	     0      1  version, 1
//	     1      1  codec of the value: 0 as it is, 1 zstd
//	     2      8  generation
//	    10      8  xxhash64 of the frame without this field
//	    18      …  length of the key, as a varint; 0 for a key that is the name
//	     …      …  the key
//	     …      …  the value, to the end
const (
	frameVersion = 1
	codecRaw     = 0
	codecZstd    = 1

	sumOffset   = 10
	frameHeader = 18

	// packFrom is the size from which compressing is tried.
	packFrom = 1 << 10
	// maxFrame is the largest frame that is written.
	maxFrame = 512 << 10
	// maxValue is the largest value that is written, or decompressed to.
	maxValue = 64 << 20
	// maxPlainKey is the longest key that is its own name.
	maxPlainKey = 200
	// maxKey is the longest key at all; longer ones are never stored.
	maxKey = 64 << 10
)

var (
	errCorrupt    = errors.New("damaged or unknown frame")
	errOtherKey   = errors.New("frame of another key with the same hash")
	errGeneration = errors.New("frame of another generation")
	errTooLarge   = errors.New("value too large to share")
)

// codec makes and reads frames. It may be used by many goroutines at once.
type codec struct {
	packer   *zstd.Encoder
	unpacker *zstd.Decoder
}

func newCodec() (*codec, error) {
	packer, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("redis: zstd encoder: %w", err)
	}
	unpacker, err := zstd.NewReader(nil,
		zstd.WithDecoderMaxMemory(maxValue), zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("redis: zstd decoder: %w", err)
	}
	return &codec{packer, unpacker}, nil
}

func (c *codec) close() {
	c.unpacker.Close()
	// Without a stream there is nothing to flush that could fail.
	_ = c.packer.Close()
}

// encode frames a value of key in a generation. It returns errTooLarge for
// one that is not worth storing.
func (c *codec) encode(generation uint64, key string, value []byte) ([]byte, error) {
	if len(value) > maxValue {
		return nil, errTooLarge
	}
	inside := ""
	if hashed(key) {
		inside = key
	}
	head := frameHeader + binary.MaxVarintLen32 + len(inside)
	frame := make([]byte, frameHeader, head+min(len(value), maxFrame))
	frame[0], frame[1] = frameVersion, codecRaw
	binary.BigEndian.PutUint64(frame[2:], generation)
	frame = binary.AppendUvarint(frame, uint64(len(inside)))
	frame = append(frame, inside...)
	start := len(frame)
	if len(value) >= packFrom {
		frame = c.packer.EncodeAll(value, frame)
		frame[1] = codecZstd
	}
	if len(value) < packFrom || len(frame)-start >= len(value) {
		if start+len(value) > maxFrame {
			return nil, errTooLarge
		}
		frame = append(frame[:start], value...)
		frame[1] = codecRaw
	}
	if len(frame) > maxFrame {
		return nil, errTooLarge
	}
	binary.BigEndian.PutUint64(frame[sumOffset:], checksum(frame))
	return frame, nil
}

// decode returns the value in a frame that must be of key and generation. The
// value is never nil and may share memory with frame.
func (c *codec) decode(frame []byte, generation uint64, key string) ([]byte, error) {
	if len(frame) <= frameHeader || frame[0] != frameVersion {
		return nil, errCorrupt
	}
	if binary.BigEndian.Uint64(frame[sumOffset:]) != checksum(frame) {
		return nil, errCorrupt
	}
	if binary.BigEndian.Uint64(frame[2:]) != generation {
		return nil, errGeneration
	}
	body := frame[frameHeader:]
	size, n := binary.Uvarint(body)
	if n <= 0 || size > maxKey || size > uint64(len(body)-n) {
		return nil, errCorrupt
	}
	inside, value := string(body[n:n+int(size)]), body[n+int(size):]
	if hashed(key) != (inside != "") {
		return nil, errCorrupt
	}
	if inside != "" && inside != key {
		return nil, errOtherKey
	}
	switch frame[1] {
	case codecRaw:
		return value, nil
	case codecZstd:
		value, err := c.unpacker.DecodeAll(value, []byte{})
		if err != nil || len(value) > maxValue {
			return nil, errCorrupt
		}
		return value, nil
	}
	return nil, errCorrupt
}

// checksum sums up a frame without the field that holds the sum.
func checksum(frame []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	// Writing to a digest cannot fail.
	_, _ = d.Write(frame[:sumOffset])
	_, _ = d.Write(frame[frameHeader:])
	return d.Sum64()
}

// names makes the names under which Redis knows things.
type names struct{ prefix, db string }

// value is the name of the value of key. Two long keys may share a name; the
// frame tells them apart.
func (n names) value(key string) string {
	if hashed(key) {
		return n.prefix + "h:" + strconv.FormatUint(xxhash.Sum64String(key), 16)
	}
	return n.prefix + "v:" + key
}

// generation is the name of the current generation.
func (n names) generation() string { return n.prefix + "generation" }

// channel is the name of the channel for invalidations. Channels do not belong
// to a database, hence the number.
func (n names) channel() string { return n.prefix + "invalidate:" + n.db }

// answers is the channel on which a front end gets answers to its calls.
func (n names) answers(origin uint64) string {
	return n.channel() + ":" + strconv.FormatUint(origin, 16)
}

func hashed(key string) bool { return len(key) > maxPlainKey }
