package gateway

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"ago/arweave"
	"ago/fault"
	"ago/message"
	"ago/store"
)

// The routes of transactions and chunks, in the forms of an Arweave node: plain texts where it answers plain texts.

func (g *Gateway) transactionRoutes(m *http.ServeMux) {
	m.HandleFunc("POST /tx", g.servePost)
	m.HandleFunc("GET /tx/pending", func(w http.ResponseWriter, _ *http.Request) {
		ids, err := g.transactionsOf(g.blocks.Height() + 1)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, ids)
	})
	m.HandleFunc("GET /tx/{id}", g.withRecord(func(w http.ResponseWriter, r *http.Request, rec *Record) {
		v, err := g.TransactionJSON(r.Context(), rec)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(v)
	}))
	m.HandleFunc("DELETE /tx/{id}", fromHere(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := pathID(w, r); ok {
			if err := g.forget(r.Context(), id); err != nil {
				writeError(w, err)
				return
			}
			writeText(w, http.StatusOK, id.String())
		}
	}))
	m.HandleFunc("GET /tx/{id}/status", g.withRecord(g.serveStatus))
	m.HandleFunc("GET /tx/{id}/offset", g.withRecord(g.serveOffset))
	m.HandleFunc("GET /tx/{id}/{field}", g.withRecord(g.serveField))
	m.HandleFunc("POST /chunk", g.servePostChunk)
	m.HandleFunc("GET /chunk/{offset}", g.serveChunk)
}

// withRecord finds the record of the id in the path, or answers as nodes do.
func (g *Gateway) withRecord(f func(http.ResponseWriter, *http.Request, *Record)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := message.ParseID(r.PathValue("id"))
		if err != nil && len(r.PathValue("id")) != message.IDLength {
			writeText(w, http.StatusBadRequest, "Invalid hash.")
			return
		}
		rec := (*Record)(nil)
		if err == nil {
			rec, err = g.Record(r.Context(), id)
		} else {
			err = unknown(id) // the right length, but nothing has such an id
		}
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				writeText(w, http.StatusNotFound, "Not Found.")
				return
			}
			writeError(w, err)
			return
		}
		f(w, r, rec)
	}
}

func (g *Gateway) servePost(w http.ResponseWriter, r *http.Request) {
	leave, err := g.enter(r)
	if err != nil {
		writeError(w, err)
		return
	}
	defer leave()
	body, err := readAll(r.Body, g.c.Limits.TransactionBytes, "transaction")
	if err != nil {
		writeError(w, err)
		return
	}
	tx, err := arweave.ParseTransaction(body)
	if err != nil {
		writeError(w, err)
		return
	}
	again, err := g.Post(r.Context(), tx)
	switch {
	case err != nil:
		writeError(w, err)
	case again:
		writeText(w, http.StatusAlreadyReported, "Transaction already processed.")
	default:
		writeText(w, http.StatusOK, "OK")
	}
}

// TransactionJSON gives a record in the form of a transaction. Data over inlineDataMax is left empty, as nodes do; imported
// records and items have the same form without a root.
func (g *Gateway) TransactionJSON(ctx context.Context, rec *Record) ([]byte, error) {
	tx := &arweave.Transaction{
		Format: 2, ID: rec.ID, LastTx: rec.Anchor, Owner: rec.Owner, Tags: rec.Tags, Target: rec.Target, HasTarget: rec.HasTarget,
		Quantity: rec.Quantity, DataSize: rec.DataSize, Reward: rec.Fee, Signature: rec.Signature,
	}
	if rec.tx == nil || rec.DataSize == 0 {
		return tx.JSON(), nil
	}
	tx.Format, tx.DataRoot = rec.tx.Format, rec.tx.DataRoot
	if rec.DataSize <= inlineDataMax || tx.Format == 1 {
		data, err := g.wholeData(ctx, rec, rec.DataSize)
		if err != nil && fault.KindOf(err) != fault.Unfinished {
			return nil, err
		}
		tx.Data = data
	}
	if tx.Format == 1 {
		tx.DataRoot = message.ID{}
	}
	return tx.JSON(), nil
}

// inlineDataMax is the data that comes with a transaction's JSON.
const inlineDataMax = 10 << 20

func (g *Gateway) wholeData(ctx context.Context, rec *Record, limit int64) ([]byte, error) {
	b, err := g.transactionData(ctx, rec)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return readAll(b, limit, "data")
}

func (g *Gateway) serveStatus(w http.ResponseWriter, _ *http.Request, rec *Record) {
	if rec.Block == nil {
		writeText(w, http.StatusAccepted, "Pending")
		return
	}
	confirmations := uint64(1)
	if top := g.blocks.Height(); top >= rec.Block.Height {
		confirmations = top - rec.Block.Height + 1
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"block_height": rec.Block.Height, "block_indep_hash": rec.BlockID(), "number_of_confirmations": confirmations,
	})
}

func (g *Gateway) serveOffset(w http.ResponseWriter, _ *http.Request, rec *Record) {
	v, err := g.c.Store.Get(idKey(subEnd, rec.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		writeText(w, http.StatusNotFound, "Not Found.")
	case err != nil || len(v) != 8:
		writeError(w, fault.Wrap(errors.Join(err, errRow), fault.Unavailable, "index-read", "looking up the offset of %s", rec.ID))
	default:
		writeJSON(w, http.StatusOK, map[string]string{
			"size": strconv.FormatInt(rec.DataSize, 10), "offset": strconv.FormatUint(binary.BigEndian.Uint64(v), 10),
		})
	}
}

// serveField answers one field as text: binary ones in base64url, data.{ext} as it is.
func (g *Gateway) serveField(w http.ResponseWriter, r *http.Request, rec *Record) {
	field := r.PathValue("field")
	b64 := base64.RawURLEncoding.EncodeToString
	switch {
	case field == "data":
		g.serveDataText(w, r, rec)
	case strings.HasPrefix(field, "data."):
		g.serveDataAs(w, r, rec, mime.TypeByExtension(field[len("data"):]))
	case field == "id":
		writeText(w, http.StatusOK, rec.ID.String())
	case field == "last_tx":
		writeText(w, http.StatusOK, b64(rec.Anchor))
	case field == "owner":
		writeText(w, http.StatusOK, b64(rec.Owner))
	case field == "target":
		target := ""
		if rec.HasTarget {
			target = rec.Target.String()
		}
		writeText(w, http.StatusOK, target)
	case field == "quantity":
		writeText(w, http.StatusOK, rec.Quantity)
	case field == "reward":
		writeText(w, http.StatusOK, rec.Fee)
	case field == "signature":
		writeText(w, http.StatusOK, b64(rec.Signature))
	case field == "data_size":
		writeText(w, http.StatusOK, strconv.FormatInt(rec.DataSize, 10))
	case field == "format":
		format := 2
		if rec.tx != nil {
			format = rec.tx.Format
		}
		writeText(w, http.StatusOK, strconv.Itoa(format))
	case field == "data_root":
		root := ""
		if rec.tx != nil && rec.DataSize > 0 {
			root = rec.tx.DataRoot.String()
		}
		writeText(w, http.StatusOK, root)
	case field == "tags":
		type tag struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		}
		tags := make([]tag, len(rec.Tags))
		for i, t := range rec.Tags {
			tags[i] = tag{b64([]byte(t.Name)), b64([]byte(t.Value))}
		}
		writeJSON(w, http.StatusOK, tags)
	default:
		writeText(w, http.StatusNotFound, "Not Found.")
	}
}

func (g *Gateway) serveDataText(w http.ResponseWriter, r *http.Request, rec *Record) {
	b, err := g.data(r.Context(), rec)
	if err != nil {
		writeDataError(w, err)
		return
	}
	defer b.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(base64.RawURLEncoding.EncodedLen(int(b.Size()))))
	if r.Method == http.MethodHead {
		return
	}
	enc := base64.NewEncoder(base64.RawURLEncoding, w)
	if _, err := io.Copy(enc, b); err == nil {
		_ = enc.Close()
	}
}

func (g *Gateway) serveDataAs(w http.ResponseWriter, r *http.Request, rec *Record, kind string) {
	b, err := g.data(r.Context(), rec)
	if err != nil {
		writeDataError(w, err)
		return
	}
	defer b.Close()
	if kind == "" {
		kind = contentType(rec.ContentType())
	}
	w.Header().Set("Content-Type", kind)
	serveContent(w, r, b)
}

// writeDataError says "Pending" where data is on its way: clients look for the status 202, and would take a JSON error of
// that status for the data.
func writeDataError(w http.ResponseWriter, err error) {
	if fault.KindOf(err) == fault.Unfinished {
		writeText(w, http.StatusAccepted, "Pending")
		return
	}
	writeError(w, err)
}

// chunkBodyMax is a chunk and a path as base64url in JSON.
const chunkBodyMax = (arweave.ChunkMax+arweave.PathMax)/3*4 + 4096

func (g *Gateway) servePostChunk(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(r.Body, chunkBodyMax, "chunk")
	if err != nil {
		writeError(w, err)
		return
	}
	c, err := arweave.ParseChunk(body)
	if err == nil {
		err = g.Chunk(r.Context(), c)
	}
	if err != nil {
		writeChunkError(w, err)
		return
	}
	writeText(w, http.StatusOK, "OK")
}

// writeChunkError puts the code where uploaders look for it: they go on or give up by the text of "error".
func writeChunkError(w http.ResponseWriter, err error) {
	code := fault.CodeOf(err)
	switch code {
	case "chunk-proof-invalid":
		code = "invalid_proof"
	case "chunk-too-large":
		code = "chunk_too_big"
	case "chunk-path-too-long":
		code = "data_path_too_big"
	case "data_root_not_found":
	default:
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "code": fault.CodeOf(err), "hint": err.Error()})
}

func (g *Gateway) serveChunk(w http.ResponseWriter, r *http.Request) {
	offset, err := strconv.ParseUint(r.PathValue("offset"), 10, 62)
	if err != nil {
		writeError(w, fault.New(fault.Malformed, "offset-malformed", "%q is no offset", r.PathValue("offset")).
			WithHint("GET /tx/{id}/offset tells where the data of a transaction ends"))
		return
	}
	c, err := g.chunkAt(r.Context(), offset)
	if err != nil {
		writeError(w, err)
		return
	}
	b64 := base64.RawURLEncoding.EncodeToString
	writeJSON(w, http.StatusOK, map[string]string{"chunk": b64(c.Data), "data_path": b64(c.DataPath), "tx_path": "", "packing": "unpacked"})
}
