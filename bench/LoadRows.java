// Writes SSTables of segment_row for `nodetool import`: a way to 10^8 rows in minutes. Run by bench/many_rows.py, with Cassandra's own jars:
//   java -cp "lib/*" bench/LoadRows.java FOLDER KEYSPACE SCHEMA INSERT FIRST_CAMERA LAST_CAMERA FIRST_DAY DAYS ROWS_A_DAY FRAGMENTS
// FOLDER ends in KEYSPACE/segment_row; SCHEMA is the table's CREATE statement; INSERT binds the columns in the order of `row` below;
// LAST_CAMERA is excluded; FIRST_DAY in days since 1970; FRAGMENTS is a file of fragment tables in hex, a line each, dealt out by dice.

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.io.sstable.CQLSSTableWriter;

public class LoadRows {
    static final long US_PER_S = 1_000_000L, US_PER_DAY = 86_400L * US_PER_S;
    static final String RUN = "home-a-1-1", CODECS = "avc1.64001f,mp4a.40.2";

    record CameraDay(String camera, int day, Token token) {}

    public static void main(String[] args) throws Exception {
        DatabaseDescriptor.clientInitialization();
        int firstCamera = Integer.parseInt(args[4]), lastCamera = Integer.parseInt(args[5]);
        int firstDay = Integer.parseInt(args[6]), days = Integer.parseInt(args[7]), rows = Integer.parseInt(args[8]);
        List<ByteBuffer> tables = Files.readAllLines(Path.of(args[9])).stream().map(HexFormat.of()::parseHex).map(ByteBuffer::wrap).toList();
        String[] names = namesInDay(rows);
        Random dice = new Random(firstCamera);
        long written = 0;
        try (CQLSSTableWriter writer = CQLSSTableWriter.builder().inDirectory(args[0]).forTable(args[2]).using(args[3])
                .withPartitioner(Murmur3Partitioner.instance).withMaxSSTableSizeInMiB(1024).sorted().build()) {
            for (CameraDay one : inTokenOrder(firstCamera, lastCamera, firstDay, days)) {
                String folder = one.camera + "/" + LocalDate.ofEpochDay(one.day) + "/" + RUN + "/";
                for (int n = 0; n < rows; n++, written++)
                    writer.rawAddRow(row(one, n, US_PER_DAY / rows, folder + names[n], tables.get(dice.nextInt(tables.size())), dice));
            }
        }
        System.out.println("written " + written);
    }

    // The ends of keys, the same for all days: <HH>/<MM-SS.ffffff>Z.<counter>.mp4
    static String[] namesInDay(int rows) {
        String[] names = new String[rows];
        for (int n = 0; n < rows; n++) {
            long us = n * (US_PER_DAY / rows), second = us / US_PER_S;
            names[n] = String.format("%02d/%02d-%02d.%06dZ.%d.mp4", second / 3600, second / 60 % 60, second % 60, us % US_PER_S, n);
        }
        return names;
    }

    // camera, start_us, run, counter, end_us, size_bytes, pool, object_key, object_version, sha256, codecs, fragments, clock_synced, day
    static List<ByteBuffer> row(CameraDay one, int n, long lengthUs, String key, ByteBuffer fragments, Random dice) {
        long startUs = one.day * US_PER_DAY + n * lengthUs;
        byte[] sha256 = new byte[32];
        dice.nextBytes(sha256);
        return List.of(text(one.camera), number(startUs), text(RUN), small(n), number(startUs + lengthUs), number(22_500_000L + n), text("main"),
                text(key), text("v1"), ByteBuffer.wrap(sha256), text(CODECS), fragments.duplicate(), ByteBuffer.wrap(new byte[] {1}), date(one.day));
    }

    static List<CameraDay> inTokenOrder(int firstCamera, int lastCamera, int firstDay, int days) {
        List<CameraDay> all = new ArrayList<>();
        for (int camera = firstCamera; camera < lastCamera; camera++)
            for (int day = firstDay; day < firstDay + days; day++) {
                String name = String.format("cam%06d", camera);
                all.add(new CameraDay(name, day, Murmur3Partitioner.instance.getToken(together(text(name), date(day)))));
            }
        all.sort(Comparator.comparing(CameraDay::token));
        return all;
    }

    // A partition key of several columns: each with its length before and a zero behind it.
    static ByteBuffer together(ByteBuffer... parts) {
        ByteBuffer key = ByteBuffer.allocate(1024);
        for (ByteBuffer part : parts)
            key.putShort((short) part.remaining()).put(part.duplicate()).put((byte) 0);
        return key.flip();
    }

    static ByteBuffer text(String value) {
        return ByteBuffer.wrap(value.getBytes(StandardCharsets.UTF_8));
    }

    static ByteBuffer number(long value) {
        return ByteBuffer.allocate(8).putLong(0, value);
    }

    static ByteBuffer small(int value) {
        return ByteBuffer.allocate(4).putInt(0, value);
    }

    static ByteBuffer date(int day) {
        return small(day + Integer.MIN_VALUE);
    }
}
