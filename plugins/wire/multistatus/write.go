package multistatus

import (
	"strconv"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
	"canopy/plugins/wire/propfind"
)

// properties writes the propstats of e, whose href has just been begun.
func (w *Writer) properties(e *Entry, name string) error {
	contentType := ""
	if w.wanted.Has(propfind.ContentType) && w.options.ContentType != nil && e.Kind == plugins.File {
		contentType = w.options.ContentType(name)
	}
	has := w.possessed(e, contentType)

	b := append(w.buf, "</D:href><D:propstat><D:prop>"...)
	if w.options.Request.PropName {
		for p := range propfind.Properties() {
			if has.Has(p) {
				b = appendElement(b, p)
			}
		}
	} else {
		w.buf = b
		w.values(e, name, contentType, w.wanted&has)
		b = w.buf
	}
	b = w.appendDead(b, e)
	b = append(b, "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"...)

	unknown := w.lacking(e)
	if missing := w.missed &^ has; missing != 0 || len(unknown) > 0 {
		b = append(b, "<D:propstat><D:prop>"...)
		for p := range propfind.Properties() {
			if missing.Has(p) {
				b = appendElement(b, p)
			}
		}
		b = append(b, unknown...)
		b = append(b, "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"...)
	}
	w.buf = b
	return w.written()
}

// possessed returns the properties that e has. Checksums are looked at only
// when they are wanted.
func (w *Writer) possessed(e *Entry, contentType string) propfind.Set {
	has := propfind.SetOf(propfind.ResourceType, propfind.DisplayName, propfind.SupportedLock)
	if w.options.SupportedLock != nil {
		has |= 1 << propfind.LockDiscovery
	}
	if writable(e.ModTime) {
		has |= 1 << propfind.LastModified
	}
	if writable(e.Created) {
		has |= 1 << propfind.CreationDate
	}
	if e.ETag != "" {
		has |= 1 << propfind.ETag
	}
	if contentType != "" {
		has |= 1 << propfind.ContentType
	}
	switch e.Kind {
	case plugins.File:
		if e.Size >= 0 {
			has |= 1 << propfind.ContentLength
		}
		if w.wanted&checksums == 0 {
			break
		}
		for _, d := range e.Digests {
			if digest.Valid(d) {
				has |= 1 << propfind.DCacheChecksums
			}
			if owncloudName(d) != "" {
				has |= 1 << propfind.OwncloudChecksums
			}
		}
	case plugins.Directory:
		if e.Space != nil && e.Space.Used >= 0 {
			has |= 1 << propfind.QuotaUsed
		}
		if e.Space != nil && e.Space.Free >= 0 {
			has |= 1 << propfind.QuotaAvailable
		}
	}
	return has
}

const checksums propfind.Set = 1<<propfind.DCacheChecksums | 1<<propfind.OwncloudChecksums

// values writes the properties in set, all of which e has.
func (w *Writer) values(e *Entry, name, contentType string, set propfind.Set) {
	b := w.buf
	if set.Has(propfind.ResourceType) {
		if e.Kind == plugins.Directory {
			b = append(b, "<D:resourcetype><D:collection/></D:resourcetype>"...)
		} else {
			b = append(b, "<D:resourcetype/>"...)
		}
	}
	if set.Has(propfind.ContentLength) {
		b = append(b, "<D:getcontentlength>"...)
		b = strconv.AppendInt(b, e.Size, 10)
		b = append(b, "</D:getcontentlength>"...)
	}
	if set.Has(propfind.LastModified) {
		b = append(b, "<D:getlastmodified>"...)
		b = w.modified.appendFixdate(b, e.ModTime)
		b = append(b, "</D:getlastmodified>"...)
	}
	if set.Has(propfind.CreationDate) {
		b = append(b, "<D:creationdate>"...)
		b = w.created.appendISO(b, e.Created)
		b = append(b, "</D:creationdate>"...)
	}
	if set.Has(propfind.ETag) {
		b = append(b, "<D:getetag>"...)
		b = appendEscaped(b, e.ETag)
		b = append(b, "</D:getetag>"...)
	}
	if set.Has(propfind.DisplayName) {
		b = append(b, "<D:displayname>"...)
		b = appendEscaped(b, name)
		b = append(b, "</D:displayname>"...)
	}
	if set.Has(propfind.ContentType) {
		b = append(b, "<D:getcontenttype>"...)
		b = appendEscaped(b, contentType)
		b = append(b, "</D:getcontenttype>"...)
	}
	if set.Has(propfind.QuotaUsed) {
		b = append(b, "<D:quota-used-bytes>"...)
		b = strconv.AppendInt(b, e.Space.Used, 10)
		b = append(b, "</D:quota-used-bytes>"...)
	}
	if set.Has(propfind.QuotaAvailable) {
		b = append(b, "<D:quota-available-bytes>"...)
		b = strconv.AppendInt(b, e.Space.Free, 10)
		b = append(b, "</D:quota-available-bytes>"...)
	}
	if set.Has(propfind.SupportedLock) {
		b = appendOr(b, w.options.SupportedLock, "<D:supportedlock/>")
	}
	if set.Has(propfind.LockDiscovery) {
		b = appendOr(b, e.Locks, "<D:lockdiscovery/>")
	}
	if set.Has(propfind.DCacheChecksums) {
		b = appendDCache(b, e.Digests)
	}
	if set.Has(propfind.OwncloudChecksums) {
		b = appendOwncloud(b, e.Digests)
	}
	w.buf = b
}

// appendOr appends element, or, if there is none, what is empty.
func appendOr(b, element []byte, empty string) []byte {
	if element == nil {
		return append(b, empty...)
	}
	return append(b, element...)
}

// appendElement appends an empty element for p, whose prefix is declared.
func appendElement(b []byte, p propfind.Property) []byte {
	name := p.Name()
	switch name.Space {
	case propfind.DCache:
		b = append(b, "<dcache:"...)
	case propfind.Owncloud:
		b = append(b, "<oc:"...)
	default:
		b = append(b, "<D:"...)
	}
	b = append(b, name.Local...)
	return append(b, "/>"...)
}
