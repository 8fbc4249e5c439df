namespace Belfry.Log.Tests;

public sealed class PartitionerTests
{
    [Theory]
    [InlineData("", 275646681, 9)]
    [InlineData("a", 584102524, 4)]
    [InlineData("21", 1173551340, 0)]
    [InlineData("abc", 479470107, 3)]
    [InlineData("é", 186971271, 3)]
    [InlineData("foobar", 1357151166, 6)]
    [InlineData("a-little-bit-long-string", 1161502112, 8)]
    [InlineData("incident-42", 1847745642, 6)]
    public void Hash_and_partition_equal_those_of_Kafkas_Java_client(string key, int hash, int partitionOf12)
    {
        Partitioner.Hash(key).ShouldBe(hash);
        Partitioner.PartitionOf(key, 12).ShouldBe(partitionOf12);
    }

    [Fact]
    public void A_key_longer_than_the_stack_buffer_has_the_hash_of_its_bytes()
    {
        var key = new string('ü', 1000);
        Partitioner.Hash(key).ShouldBe((int)(Partitioner.Murmur2(System.Text.Encoding.UTF8.GetBytes(key)) & 0x7fffffff));
    }
}
