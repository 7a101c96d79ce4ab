package multistatus

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// appendDigests adds to list the checksums in b, a list separated by commas or
// white space of name and value with separator between them. What cannot be
// read is left out.
func appendDigests(list []plugins.Digest, b []byte, separator byte) []plugins.Digest {
	for item := range bytes.FieldsFuncSeq(b, func(r rune) bool { return r == ',' || r <= ' ' }) {
		i := bytes.IndexByte(item, separator)
		if i < 0 {
			continue
		}
		if d, ok := digest.Decode(string(item[:i]), string(item[i+1:])); ok {
			list = addDigest(list, d)
		}
	}
	return list
}

// addDigest adds d to list unless its algorithm is there already.
func addDigest(list []plugins.Digest, d plugins.Digest) []plugins.Digest {
	same := func(other plugins.Digest) bool { return other.Algorithm == d.Algorithm }
	if slices.ContainsFunc(list, same) {
		return list
	}
	return append(list, d)
}

// parseLCGDM reads a checksum by the two letters that LCGDM has for its
// algorithm.
func parseLCGDM(sumType, sumValue []byte) (plugins.Digest, bool) {
	name := string(sumType)
	switch name {
	case "AD":
		name = "adler32"
	case "MD":
		name = "md5"
	}
	return digest.Decode(name, string(sumValue))
}

// appendDCache appends digests in the way of RFC 3230, as dCache has them.
// digest.AppendDigest would allocate for each.
func appendDCache(b []byte, digests []plugins.Digest) []byte {
	b = append(b, "<dcache:Checksums>"...)
	separator := ""
	for _, d := range digests {
		if !digest.Valid(d) {
			continue
		}
		b = append(b, separator...)
		b = append(b, d.Algorithm...)
		b = append(b, '=')
		if len(d.Sum) == 4 {
			b = hex.AppendEncode(b, []byte(d.Sum))
		} else {
			b = base64.StdEncoding.AppendEncode(b, []byte(d.Sum))
		}
		separator = ","
	}
	return append(b, "</dcache:Checksums>"...)
}

// appendOwncloud appends digests in one checksum element.
func appendOwncloud(b []byte, digests []plugins.Digest) []byte {
	b = append(b, "<oc:checksums><oc:checksum>"...)
	separator := ""
	for _, d := range digests {
		name := owncloudName(d)
		if name == "" {
			continue
		}
		b = append(b, separator...)
		b = append(b, name...)
		b = append(b, ':')
		b = hex.AppendEncode(b, []byte(d.Sum))
		separator = " "
	}
	return append(b, "</oc:checksum></oc:checksums>"...)
}

// owncloudName returns what ownCloud calls the algorithm of d, "" if it knows
// no such checksum.
func owncloudName(d plugins.Digest) string {
	if !digest.Valid(d) {
		return ""
	}
	switch d.Algorithm {
	case "adler32":
		return "ADLER32"
	case "md5":
		return "MD5"
	case "sha":
		return "SHA1"
	case "sha-256":
		return "SHA256"
	}
	return ""
}
